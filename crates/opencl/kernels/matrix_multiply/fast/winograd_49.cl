// C = A B, 4 x 4 times 4 x 4, by the scheme `winograd`: 49 products, 159 additions (42 of elements of A, 42 of B, 75 of
// products); right up to 2551 (eps / 2) max|A| max|B| to first order. Made by the generator of crates/bilinear from its
// table of the scheme.
// Scheme: S. Winograd, in: R. L. Probert, On the additive complexity of matrix multiplication, SIAM Journal on
// Computing 5 (1976)
// Licence of the source: none needed.
//
// What is computed for each place of a block; gemm_fast_blocks.cl has what blocks and products are.

#define PRODUCTS 49

static inline void sums_of_a(const Blocks *x, const Batch *y) {
    const V a11 = take(x, 0, 0);
    const V a12 = take(x, 0, 1);
    const V a13 = take(x, 0, 2);
    const V a14 = take(x, 0, 3);
    const V a21 = take(x, 1, 0);
    const V a22 = take(x, 1, 1);
    const V a23 = take(x, 1, 2);
    const V a24 = take(x, 1, 3);
    const V a31 = take(x, 2, 0);
    const V a32 = take(x, 2, 1);
    const V a33 = take(x, 2, 2);
    const V a34 = take(x, 2, 3);
    const V a41 = take(x, 3, 0);
    const V a42 = take(x, 3, 1);
    const V a43 = take(x, 3, 2);
    const V a44 = take(x, 3, 3);
    put(y, 0, a11);
    put(y, 1, a12);
    const V s1 = a21 + a22;
    const V s2 = a11 - s1; // a11 - a21 - a22
    put(y, 2, s2);
    put(y, 3, s1);
    const V s3 = a12 + s2; // a11 + a12 - a21 - a22
    put(y, 4, s3);
    put(y, 5, a22);
    const V s4 = a11 - a21;
    put(y, 6, s4);
    put(y, 7, a13);
    put(y, 8, a14);
    const V s5 = a13 - a23;
    const V s6 = a24 - s5; // -a13 + a23 + a24
    put(y, 9, s6);
    const V s7 = a23 + a24;
    put(y, 10, s7);
    const V s8 = a14 - s6; // a13 + a14 - a23 - a24
    put(y, 11, s8);
    put(y, 12, a24);
    put(y, 13, s5);
    const V s9 = a31 + a33;
    const V s10 = a11 - s9; // a11 - a31 - a33
    put(y, 14, s10);
    const V s11 = a32 + a34;
    const V s12 = a12 - s11; // a12 - a32 - a34
    put(y, 15, s12);
    const V s13 = a33 - a43;
    const V s14 = a44 - s13; // -a33 + a43 + a44
    const V s15 = a22 - a42;
    const V s16 = a31 - a41;
    const V s17 = s16 - s4; // -a11 + a21 + a31 - a41
    const V s18 = s15 + s17; // -a11 + a21 + a22 + a31 - a41 - a42
    const V s19 = s14 - s18; // a11 - a21 - a22 - a31 - a33 + a41 + a42 + a43 + a44
    put(y, 16, s19);
    const V s20 = a43 + a44;
    const V s21 = a41 + a42;
    const V s22 = s20 + s21; // a41 + a42 + a43 + a44
    const V s23 = s1 - s22; // a21 + a22 - a41 - a42 - a43 - a44
    put(y, 17, s23);
    const V s24 = s12 + s19; // a11 + a12 - a21 - a22 - a31 - a32 - a33 - a34 + a41 + a42 + a43 + a44
    put(y, 18, s24);
    const V s25 = a44 - s15; // -a22 + a42 + a44
    put(y, 19, s25);
    const V s26 = s16 + s13; // a31 + a33 - a41 - a43
    const V s27 = s4 - s26; // a11 - a21 - a31 - a33 + a41 + a43
    put(y, 20, s27);
    put(y, 21, s9);
    put(y, 22, s11);
    const V s28 = a42 + a44;
    const V s29 = s28 - s26; // -a31 - a33 + a41 + a42 + a43 + a44
    put(y, 23, s29);
    put(y, 24, s22);
    const V s30 = s11 - s29; // a31 + a32 + a33 + a34 - a41 - a42 - a43 - a44
    put(y, 25, s30);
    put(y, 26, s28);
    put(y, 27, s26);
    const V s31 = a13 + s10; // a11 + a13 - a31 - a33
    put(y, 28, s31);
    const V s32 = a14 + s12; // a12 + a14 - a32 - a34
    put(y, 29, s32);
    const V s33 = s6 - s19; // -a11 - a13 + a21 + a22 + a23 + a24 + a31 + a33 - a41 - a42 - a43 - a44
    put(y, 30, s33);
    const V s34 = s7 + s23; // a21 + a22 + a23 + a24 - a41 - a42 - a43 - a44
    put(y, 31, s34);
    const V s35 = s32 - s33;
    put(y, 32, s35);
    const V s36 = a24 - s25; // a22 + a24 - a42 - a44
    put(y, 33, s36);
    const V s37 = s5 + s27; // a11 + a13 - a21 - a23 - a31 - a33 + a41 + a43
    put(y, 34, s37);
    put(y, 35, a33);
    put(y, 36, a34);
    put(y, 37, s14);
    put(y, 38, s20);
    const V s38 = a34 - s14; // a33 + a34 - a43 - a44
    put(y, 39, s38);
    put(y, 40, a44);
    put(y, 41, s13);
    const V s39 = a11 - a31;
    put(y, 42, s39);
    const V s40 = a12 - a32;
    put(y, 43, s40);
    put(y, 44, s18);
    const V s41 = s1 - s21; // a21 + a22 - a41 - a42
    put(y, 45, s41);
    const V s42 = s40 - s18; // a11 + a12 - a21 - a22 - a31 - a32 + a41 + a42
    put(y, 46, s42);
    put(y, 47, s15);
    put(y, 48, s17);
}

static inline void sums_of_b(const Blocks *x, const Batch *y) {
    const V b11 = take(x, 0, 0);
    const V b12 = take(x, 0, 1);
    const V b13 = take(x, 0, 2);
    const V b14 = take(x, 0, 3);
    const V b21 = take(x, 1, 0);
    const V b22 = take(x, 1, 1);
    const V b23 = take(x, 1, 2);
    const V b24 = take(x, 1, 3);
    const V b31 = take(x, 2, 0);
    const V b32 = take(x, 2, 1);
    const V b33 = take(x, 2, 2);
    const V b34 = take(x, 2, 3);
    const V b41 = take(x, 3, 0);
    const V b42 = take(x, 3, 1);
    const V b43 = take(x, 3, 2);
    const V b44 = take(x, 3, 3);
    put(y, 0, b11);
    put(y, 1, b21);
    const V t1 = b11 - b12;
    const V t2 = b22 + t1; // b11 - b12 + b22
    put(y, 2, t2);
    put(y, 3, t1);
    put(y, 4, b22);
    const V t3 = b21 - t2; // -b11 + b12 + b21 - b22
    put(y, 5, t3);
    const V t4 = b12 - b22;
    put(y, 6, t4);
    put(y, 7, b31);
    put(y, 8, b41);
    const V t5 = b31 - b32;
    const V t6 = b42 + t5; // b31 - b32 + b42
    put(y, 9, t6);
    put(y, 10, t5);
    put(y, 11, b42);
    const V t7 = b41 - t6; // -b31 + b32 + b41 - b42
    put(y, 12, t7);
    const V t8 = b32 - b42;
    put(y, 13, t8);
    const V t9 = b11 - b13;
    const V t10 = b33 + t9; // b11 - b13 + b33
    put(y, 14, t10);
    const V t11 = b23 - b43;
    const V t12 = b21 - t11; // b21 - b23 + b43
    put(y, 15, t12);
    const V t13 = b34 - b44;
    const V t14 = b33 - t13; // b33 - b34 + b44
    const V t15 = b14 - b24;
    const V t16 = t4 - t15; // b12 - b14 - b22 + b24
    const V t17 = t9 - t16; // b11 - b12 - b13 + b14 + b22 - b24
    const V t18 = t14 + t17; // b11 - b12 - b13 + b14 + b22 - b24 + b33 - b34 + b44
    put(y, 16, t18);
    const V t19 = b13 - b14;
    const V t20 = b33 - b34;
    const V t21 = t19 - t20; // b13 - b14 - b33 + b34
    const V t22 = t1 - t21; // b11 - b12 - b13 + b14 + b33 - b34
    put(y, 17, t22);
    const V t23 = b24 - b44;
    const V t24 = b22 - t23; // b22 - b24 + b44
    put(y, 18, t24);
    const V t25 = t12 - t18; // -b11 + b12 + b13 - b14 + b21 - b22 - b23 + b24 - b33 + b34 + b43 - b44
    put(y, 19, t25);
    const V t26 = t13 + t16; // b12 - b14 - b22 + b24 + b34 - b44
    put(y, 20, t26);
    put(y, 21, t9);
    const V t27 = b21 - b23;
    put(y, 22, t27);
    put(y, 23, t17);
    const V t28 = t19 - t1; // -b11 + b12 + b13 - b14
    put(y, 24, t28);
    const V t29 = b22 - b24;
    put(y, 25, t29);
    const V t30 = t27 - t17; // -b11 + b12 + b13 - b14 + b21 - b22 - b23 + b24
    put(y, 26, t30);
    put(y, 27, t16);
    put(y, 28, b33);
    put(y, 29, b43);
    put(y, 30, t14);
    put(y, 31, t20);
    put(y, 32, b44);
    const V t31 = b43 - t14; // -b33 + b34 + b43 - b44
    put(y, 33, t31);
    put(y, 34, t13);
    const V t32 = b31 - t10; // -b11 + b13 + b31 - b33
    put(y, 35, t32);
    const V t33 = b41 - t12; // -b21 + b23 + b41 - b43
    put(y, 36, t33);
    const V t34 = t6 - t18; // -b11 + b12 + b13 - b14 - b22 + b24 + b31 - b32 - b33 + b34 + b42 - b44
    put(y, 37, t34);
    const V t35 = t5 - t22; // -b11 + b12 + b13 - b14 + b31 - b32 - b33 + b34
    put(y, 38, t35);
    const V t36 = b42 - t24; // -b22 + b24 + b42 - b44
    put(y, 39, t36);
    const V t37 = t33 - t34;
    put(y, 40, t37);
    const V t38 = t8 - t26; // -b12 + b14 + b22 - b24 + b32 - b34 - b42 + b44
    put(y, 41, t38);
    const V t39 = b13 - b33;
    put(y, 42, t39);
    put(y, 43, t11);
    const V t40 = t23 + t21; // b13 - b14 + b24 - b33 + b34 - b44
    put(y, 44, t40);
    put(y, 45, t21);
    put(y, 46, t23);
    const V t41 = t11 - t40; // -b13 + b14 + b23 - b24 + b33 - b34 - b43 + b44
    put(y, 47, t41);
    const V t42 = t15 - t13; // b14 - b24 - b34 + b44
    put(y, 48, t42);
}

static inline void combine(const Batch *y, const Target *z) {
    const V p1 = product(y, 0);
    const V p2 = product(y, 1);
    const V p3 = product(y, 2);
    const V p4 = product(y, 3);
    const V p5 = product(y, 4);
    const V p6 = product(y, 5);
    const V p7 = product(y, 6);
    const V p8 = product(y, 7);
    const V q1 = p1 + p8;
    const V p9 = product(y, 8);
    const V q2 = p2 + p9;
    const V q3 = q1 + q2;
    give(z, 0, 0, q3);
    const V p10 = product(y, 9);
    const V q4 = p3 - p10;
    const V q5 = q1 - q4;
    const V p11 = product(y, 10);
    const V q6 = p11 - q5;
    const V q7 = p4 + q6;
    const V p12 = product(y, 11);
    const V q8 = p5 + p12;
    const V q9 = q7 - q8;
    give(z, 0, 1, -q9);
    const V p13 = product(y, 12);
    const V q10 = p6 + p13;
    const V p14 = product(y, 13);
    const V q11 = p7 + p14;
    const V q12 = q5 - q11;
    const V q13 = q10 + q12;
    const V q14 = q11 + q7;
    give(z, 1, 0, q13);
    give(z, 1, 1, -q14);
    const V p15 = product(y, 14);
    const V q15 = p1 - p15;
    const V q16 = p3 - q15;
    const V q17 = p2 + q15;
    const V p16 = product(y, 15);
    const V q18 = p16 - q17;
    const V p17 = product(y, 16);
    const V q19 = p17 - q16;
    const V p18 = product(y, 17);
    const V q20 = p4 - p18;
    const V p19 = product(y, 18);
    const V q21 = p5 - p19;
    const V q22 = q19 + q21;
    const V p20 = product(y, 19);
    const V q23 = p6 + p20;
    const V p21 = product(y, 20);
    const V q24 = p21 + q19;
    const V q25 = p7 - q24;
    const V p22 = product(y, 21);
    const V p23 = product(y, 22);
    const V q26 = p22 + p23;
    const V q27 = q18 + q26;
    const V p24 = product(y, 23);
    const V q28 = p22 + p24;
    const V p25 = product(y, 24);
    const V q29 = p25 + q20;
    const V q30 = q28 + q29;
    const V p26 = product(y, 25);
    const V p27 = product(y, 26);
    const V q31 = p27 + q28;
    const V p28 = product(y, 27);
    const V q32 = p28 - q25;
    const V p29 = product(y, 28);
    const V p30 = product(y, 29);
    const V q33 = p29 + p30;
    const V q34 = q33 - q27;
    give(z, 0, 2, q34);
    const V p31 = product(y, 30);
    const V q35 = p29 + p31;
    const V q36 = q35 + q32;
    const V q37 = q35 + q22;
    const V p32 = product(y, 31);
    const V q38 = p32 + q30;
    const V p33 = product(y, 32);
    const V q39 = p26 - p33;
    const V q40 = q39 - q37;
    const V q41 = q38 + q40;
    give(z, 0, 3, -q41);
    const V p34 = product(y, 33);
    const V q42 = p34 + q23;
    const V p35 = product(y, 34);
    const V q43 = p35 - q36;
    const V q44 = q43 + q31;
    const V q45 = q42 - q44;
    const V q46 = q38 + q43;
    give(z, 1, 2, q45);
    give(z, 1, 3, -q46);
    const V p36 = product(y, 35);
    const V p37 = product(y, 36);
    const V q47 = p36 + p37;
    const V p38 = product(y, 37);
    const V q48 = p36 + p38;
    const V p39 = product(y, 38);
    const V p40 = product(y, 39);
    const V p41 = product(y, 40);
    const V q49 = p41 + q48;
    const V p42 = product(y, 41);
    const V p43 = product(y, 42);
    const V q50 = p43 + q18;
    const V p44 = product(y, 43);
    const V q51 = p44 + q50;
    const V q52 = q51 - q47;
    const V q53 = q26 + q51;
    give(z, 2, 0, -q52);
    give(z, 2, 2, -q53);
    const V p45 = product(y, 44);
    const V q54 = p43 + p45;
    const V q55 = q54 - q23;
    const V p46 = product(y, 45);
    const V q56 = p46 - q54;
    const V q57 = p39 - q56;
    const V q58 = q20 + q57;
    const V q59 = q48 - q58;
    const V q60 = q56 - q30;
    const V q61 = p40 + q59;
    const V p47 = product(y, 46);
    const V q62 = p47 - q22;
    const V q63 = q62 - q61;
    const V q64 = p26 + q62;
    const V q65 = q60 - q64;
    give(z, 2, 1, -q63);
    give(z, 2, 3, q65);
    const V p48 = product(y, 47);
    const V q66 = p48 + q55;
    const V p49 = product(y, 48);
    const V q67 = p49 + q25;
    const V q68 = p28 - q67;
    const V q69 = p42 + q67;
    const V q70 = q69 + q66;
    const V q71 = q49 - q70;
    const V q72 = q59 - q69;
    const V q73 = q68 - q31;
    const V q74 = q66 - q73;
    const V q75 = q68 + q60;
    give(z, 3, 0, q71);
    give(z, 3, 1, q72);
    give(z, 3, 2, -q74);
    give(z, 3, 3, q75);
}
