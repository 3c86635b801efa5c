// C = A B, 4 x 4 times 4 x 4, by the scheme `alphatensor`: 49 products, 168 additions (45 of elements of A, 45 of B, 78
// of products); right up to 2461 (eps / 2) max|A| max|B| to first order. Made by the generator of crates/bilinear from
// its table of the scheme.
// Scheme: A. Fawzi et al., Discovering faster matrix multiplication algorithms with reinforcement learning, Nature 610
// (2022); github.com/google-deepmind/alphatensor, factorizations_r, key 4,4,4 (there the third factor is of the
// transpose of C)
// Licence of the source: CC-BY 4.0, the authors of AlphaTensor; brought into another form.
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
    const V s1 = a11 + a31;
    put(y, 0, s1);
    const V s2 = a13 - s1; // -a11 + a13 - a31
    put(y, 1, s2);
    put(y, 2, a13);
    put(y, 3, a33);
    put(y, 4, a31);
    const V s3 = a33 + s2; // -a11 + a13 - a31 + a33
    put(y, 5, s3);
    const V s4 = a23 + a24;
    const V s5 = a21 - a22;
    const V s6 = s4 + s5; // a21 - a22 + a23 + a24
    put(y, 6, s6);
    const V s7 = a41 - a42;
    const V s8 = s7 + s5; // a21 - a22 + a41 - a42
    const V s9 = s4 + s8; // a21 - a22 + a23 + a24 + a41 - a42
    put(y, 7, s9);
    const V s10 = a11 - a13;
    put(y, 8, s10);
    put(y, 9, s8);
    put(y, 10, s7);
    const V s11 = a43 + a44;
    const V s12 = s11 + s9; // a21 - a22 + a23 + a24 + a41 - a42 + a43 + a44
    put(y, 11, s12);
    put(y, 12, s4);
    const V s13 = a12 + a22;
    const V s14 = a21 - s13; // -a12 + a21 - a22
    const V s15 = a11 + s14; // a11 - a12 + a21 - a22
    put(y, 13, s15);
    const V s16 = a12 + a14;
    put(y, 14, s16);
    const V s17 = a14 + s4; // a14 + a23 + a24
    const V s18 = s17 - s14; // a12 + a14 - a21 + a22 + a23 + a24
    put(y, 15, s18);
    const V s19 = a32 - a42;
    const V s20 = a41 + s19; // a32 + a41 - a42
    const V s21 = s20 + s18; // a12 + a14 - a21 + a22 + a23 + a24 + a32 + a41 - a42
    put(y, 16, s21);
    const V s22 = s20 - s14; // a12 - a21 + a22 + a32 + a41 - a42
    put(y, 17, s22);
    put(y, 18, s17);
    const V s23 = a34 - s11; // a34 - a43 - a44
    const V s24 = s23 + s21; // a12 + a14 - a21 + a22 + a23 + a24 + a32 + a34 + a41 - a42 - a43 - a44
    put(y, 19, s24);
    put(y, 20, s20);
    const V s25 = a14 + a24;
    const V s26 = s13 + s25; // a12 + a14 + a22 + a24
    put(y, 21, s26);
    const V s27 = s19 + s26; // a12 + a14 + a22 + a24 + a32 - a42
    put(y, 22, s27);
    put(y, 23, s25);
    const V s28 = a34 - a44;
    const V s29 = s27 + s28; // a12 + a14 + a22 + a24 + a32 + a34 - a42 - a44
    put(y, 24, s29);
    put(y, 25, s19);
    put(y, 26, s28);
    put(y, 27, s23);
    const V s30 = a14 + a34;
    put(y, 28, s30);
    const V s31 = a13 + s17; // a13 + a14 + a23 + a24
    const V s32 = a33 + s23; // a33 + a34 - a43 - a44
    const V s33 = s31 + s32; // a13 + a14 + a23 + a24 + a33 + a34 - a43 - a44
    put(y, 29, s33);
    const V s34 = a31 - s20; // a31 - a32 - a41 + a42
    const V s35 = s34 - s33; // -a13 - a14 - a23 - a24 + a31 - a32 - a33 - a34 - a41 + a42 + a43 + a44
    const V s36 = s35 + s15;
    put(y, 30, s36);
    put(y, 31, a43);
    put(y, 32, a14);
    const V s37 = a14 - a32;
    put(y, 33, s37);
    put(y, 34, s35);
    const V s38 = s34 - s32; // a31 - a32 - a33 - a34 - a41 + a42 + a43 + a44
    put(y, 35, s38);
    const V s39 = a12 + a32;
    put(y, 36, s39);
    const V s40 = a32 + a34;
    put(y, 37, s40);
    put(y, 38, s31);
    put(y, 39, a32);
    put(y, 40, a21);
    const V s41 = a21 - a41;
    put(y, 41, s41);
    const V s42 = a41 - a43;
    const V s43 = a21 - s42; // a21 - a41 + a43
    put(y, 42, s43);
    const V s44 = s19 + s13; // a12 + a22 + a32 - a42
    put(y, 43, s44);
    const V s45 = a23 - s43; // -a21 + a23 + a41 - a43
    put(y, 44, s45);
    put(y, 45, s34);
    put(y, 46, s42);
    put(y, 47, s11);
    put(y, 48, a23);
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
    const V t1 = b11 + b31;
    put(y, 0, t1);
    const V t2 = b13 - t1; // -b11 + b13 - b31
    put(y, 1, t2);
    const V t3 = b33 + t2; // -b11 + b13 - b31 + b33
    put(y, 2, t3);
    put(y, 3, b33);
    put(y, 4, b13);
    put(y, 5, b31);
    const V t4 = b23 + b24;
    const V t5 = b21 - b22;
    const V t6 = t4 + t5; // b21 - b22 + b23 + b24
    put(y, 6, t6);
    const V t7 = b41 - b42;
    const V t8 = t7 + t5; // b21 - b22 + b41 - b42
    const V t9 = t4 + t8; // b21 - b22 + b23 + b24 + b41 - b42
    put(y, 7, t9);
    const V t10 = b11 - b13;
    put(y, 8, t10);
    put(y, 9, t8);
    put(y, 10, t4);
    put(y, 11, t7);
    const V t11 = b43 + b44;
    const V t12 = t11 + t9; // b21 - b22 + b23 + b24 + b41 - b42 + b43 + b44
    put(y, 12, t12);
    const V t13 = b12 + b14;
    put(y, 13, t13);
    put(y, 14, b21);
    const V t14 = b14 + t4; // b14 + b23 + b24
    const V t15 = b12 + b22;
    const V t16 = b21 - t15; // -b12 + b21 - b22
    const V t17 = t14 - t16; // b12 + b14 - b21 + b22 + b23 + b24
    put(y, 15, t17);
    const V t18 = b32 - b42;
    const V t19 = b41 + t18; // b32 + b41 - b42
    const V t20 = t19 + t17; // b12 + b14 - b21 + b22 + b23 + b24 + b32 + b41 - b42
    put(y, 16, t20);
    const V t21 = t19 - t16; // b12 - b21 + b22 + b32 + b41 - b42
    put(y, 17, t21);
    const V t22 = b34 - t11; // b34 - b43 - b44
    const V t23 = t22 + t20; // b12 + b14 - b21 + b22 + b23 + b24 + b32 + b34 + b41 - b42 - b43 - b44
    put(y, 18, t23);
    put(y, 19, t19);
    put(y, 20, t14);
    const V t24 = b14 + b24;
    const V t25 = t15 + t24; // b12 + b14 + b22 + b24
    put(y, 21, t25);
    const V t26 = t18 + t25; // b12 + b14 + b22 + b24 + b32 - b42
    put(y, 22, t26);
    const V t27 = b34 - b44;
    const V t28 = t26 + t27; // b12 + b14 + b22 + b24 + b32 + b34 - b42 - b44
    put(y, 23, t28);
    put(y, 24, t18);
    put(y, 25, t24);
    put(y, 26, t27);
    put(y, 27, t22);
    put(y, 28, b43);
    const V t29 = b14 + b34;
    put(y, 29, t29);
    put(y, 30, b14);
    const V t30 = b13 + t14; // b13 + b14 + b23 + b24
    const V t31 = b33 + t22; // b33 + b34 - b43 - b44
    const V t32 = t30 + t31; // b13 + b14 + b23 + b24 + b33 + b34 - b43 - b44
    put(y, 31, t32);
    const V t33 = b21 - b41;
    put(y, 32, t33);
    const V t34 = b41 - b43;
    const V t35 = b21 - t34; // b21 - b41 + b43
    put(y, 33, t35);
    const V t36 = b14 - b32;
    put(y, 34, t36);
    put(y, 35, b32);
    put(y, 36, b23);
    put(y, 37, t34);
    const V t37 = b32 + b34;
    put(y, 38, t37);
    const V t38 = b23 - t35; // -b21 + b23 + b41 - b43
    put(y, 39, t38);
    const V t39 = b11 + t16; // b11 - b12 + b21 - b22
    put(y, 40, t39);
    const V t40 = b31 - t19; // b31 - b32 - b41 + b42
    const V t41 = t40 - t32; // -b13 - b14 - b23 - b24 + b31 - b32 - b33 - b34 - b41 + b42 + b43 + b44
    const V t42 = t41 + t39;
    put(y, 41, t42);
    put(y, 42, t41);
    const V t43 = t18 + t15; // b12 + b22 + b32 - b42
    put(y, 43, t43);
    const V t44 = t40 - t31; // b31 - b32 - b33 - b34 - b41 + b42 + b43 + b44
    put(y, 44, t44);
    const V t45 = b12 + b32;
    put(y, 45, t45);
    put(y, 46, t30);
    put(y, 47, t11);
    put(y, 48, t40);
}

static inline void combine(const Batch *y, const Target *z) {
    const V p1 = product(y, 0);
    const V p2 = product(y, 1);
    const V p3 = product(y, 2);
    const V q1 = p1 + p3;
    const V p4 = product(y, 3);
    const V p5 = product(y, 4);
    const V q2 = p2 + p5;
    const V q3 = p4 + p5;
    const V p6 = product(y, 5);
    const V p7 = product(y, 6);
    const V p8 = product(y, 7);
    const V p9 = product(y, 8);
    const V q4 = p9 - q2;
    const V q5 = p6 - q4;
    const V p10 = product(y, 9);
    const V p11 = product(y, 10);
    const V q6 = p8 - p11;
    const V q7 = p10 - q6;
    const V q8 = p7 + q7;
    const V p12 = product(y, 11);
    const V q9 = p7 + p12;
    const V q10 = q6 - q9;
    const V p13 = product(y, 12);
    const V q11 = p13 + q7;
    const V p14 = product(y, 13);
    const V p15 = product(y, 14);
    const V p16 = product(y, 15);
    const V p17 = product(y, 16);
    const V p18 = product(y, 17);
    const V p19 = product(y, 18);
    const V p20 = product(y, 19);
    const V q12 = p16 + p20;
    const V p21 = product(y, 20);
    const V q13 = p17 - p21;
    const V q14 = p18 - q13;
    const V q15 = p19 + q14;
    const V p22 = product(y, 21);
    const V p23 = product(y, 22);
    const V p24 = product(y, 23);
    const V p25 = product(y, 24);
    const V q16 = p22 + p25;
    const V p26 = product(y, 25);
    const V q17 = p23 - p26;
    const V p27 = product(y, 26);
    const V q18 = p26 - p27;
    const V p28 = product(y, 27);
    const V q19 = p21 - p28;
    const V p29 = product(y, 28);
    const V p30 = product(y, 29);
    const V p31 = product(y, 30);
    const V p32 = product(y, 31);
    const V p33 = product(y, 32);
    const V q20 = p15 - p33;
    const V q21 = p16 + q20;
    const V q22 = q14 + q21;
    const V q23 = p1 + q20;
    const V q24 = q4 + q23;
    const V q25 = q8 - q22;
    give(z, 0, 0, q24);
    const V p34 = product(y, 33);
    const V q26 = p33 - p34;
    const V p35 = product(y, 34);
    const V p36 = product(y, 35);
    const V q27 = p35 + p36;
    const V q28 = p31 - q27;
    const V q29 = p14 - q28;
    const V q30 = q29 - q25;
    give(z, 0, 1, q30);
    const V p37 = product(y, 36);
    const V p38 = product(y, 37);
    const V q31 = p29 + p38;
    const V q32 = q26 + q31;
    const V q33 = q13 + q32;
    const V q34 = q12 - q33;
    const V q35 = q17 + q34;
    const V q36 = q16 - q35;
    const V q37 = q32 + q5;
    const V q38 = q10 - q34;
    const V q39 = q10 + q36;
    give(z, 2, 0, q37);
    give(z, 3, 1, q39);
    const V p39 = product(y, 38);
    const V q40 = p39 + q28;
    const V q41 = p30 - p39;
    const V p40 = product(y, 39);
    const V q42 = p40 + q26;
    const V q43 = p29 + q42;
    const V q44 = p37 - q42;
    const V q45 = q43 - q19;
    const V q46 = q44 + q15;
    const V q47 = q46 + q11;
    const V q48 = q2 - q44;
    const V q49 = q1 - q48;
    const V q50 = q47 - q40;
    const V q51 = q43 + q3;
    const V q52 = q18 + q45;
    give(z, 0, 2, q49);
    give(z, 0, 3, -q50);
    give(z, 2, 2, q51);
    const V p41 = product(y, 40);
    const V q53 = p32 + p41;
    const V p42 = product(y, 41);
    const V p43 = product(y, 42);
    const V q54 = p42 - p43;
    const V q55 = q54 - q53;
    const V q56 = q36 - q55;
    give(z, 3, 0, q56);
    const V p44 = product(y, 43);
    const V q57 = p44 - q17;
    const V q58 = p24 + q57;
    const V q59 = p22 + q57;
    const V q60 = q22 - q59;
    const V q61 = q8 - q60;
    const V q62 = q58 - q46;
    const V q63 = q58 - q47;
    give(z, 1, 1, q61);
    give(z, 1, 3, -q63);
    const V p45 = product(y, 44);
    const V p46 = product(y, 45);
    const V q64 = p36 - p46;
    const V q65 = q64 - q38;
    give(z, 2, 1, -q65);
    const V p47 = product(y, 46);
    const V q66 = p43 - p47;
    const V q67 = p32 + p47;
    const V q68 = q67 + q52;
    give(z, 3, 2, q68);
    const V p48 = product(y, 47);
    const V q69 = p11 - p48;
    const V q70 = q45 + q69;
    const V q71 = q27 - q70;
    const V q72 = q41 + q71;
    const V q73 = q18 + q70;
    give(z, 2, 3, q72);
    give(z, 3, 3, -q73);
    const V p49 = product(y, 48);
    const V q74 = p41 + p49;
    const V q75 = q60 - q74;
    const V q76 = p45 - p49;
    const V q77 = q76 + q66;
    const V q78 = q62 - q77;
    give(z, 1, 0, -q75);
    give(z, 1, 2, q78);
}
