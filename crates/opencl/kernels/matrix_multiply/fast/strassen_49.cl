// C = A B, 4 x 4 times 4 x 4, by the scheme `strassen`: 49 products, 198 additions (55 of elements of A, 55 of B, 88 of
// products); right up to 830 (eps / 2) max|A| max|B| to first order. Made by the generator of crates/bilinear from its
// table of the scheme.
// Scheme: V. Strassen, Gaussian elimination is not optimal, Numerische Mathematik 13 (1969)
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
    const V s1 = a11 + a22;
    const V s2 = a33 + a44;
    const V s3 = s1 + s2; // a11 + a22 + a33 + a44
    put(y, 0, s3);
    const V s4 = a43 + a44;
    const V s5 = a21 + a22;
    const V s6 = s4 + s5; // a21 + a22 + a43 + a44
    put(y, 1, s6);
    const V s7 = a11 + a33;
    put(y, 2, s7);
    const V s8 = a22 + a44;
    put(y, 3, s8);
    const V s9 = a11 + a12;
    const V s10 = a33 + a34;
    const V s11 = s9 + s10; // a11 + a12 + a33 + a34
    put(y, 4, s11);
    const V s12 = a33 - a43;
    const V s13 = a11 - a21;
    const V s14 = s12 + s13; // a11 - a21 + a33 - a43
    put(y, 5, s14);
    const V s15 = a34 - a44;
    const V s16 = a12 - a22;
    const V s17 = s15 + s16; // a12 - a22 + a34 - a44
    put(y, 6, s17);
    const V s18 = a31 + a42;
    const V s19 = s2 + s18; // a31 + a33 + a42 + a44
    put(y, 7, s19);
    const V s20 = a41 + a42;
    const V s21 = s4 + s20; // a41 + a42 + a43 + a44
    put(y, 8, s21);
    const V s22 = a31 + a33;
    put(y, 9, s22);
    const V s23 = a42 + a44;
    put(y, 10, s23);
    const V s24 = a31 + a32;
    const V s25 = s10 + s24; // a31 + a32 + a33 + a34
    put(y, 11, s25);
    const V s26 = a31 - a41;
    const V s27 = s12 + s26; // a31 + a33 - a41 - a43
    put(y, 12, s27);
    const V s28 = a32 - a42;
    const V s29 = s15 + s28; // a32 + a34 - a42 - a44
    put(y, 13, s29);
    put(y, 14, s1);
    put(y, 15, s5);
    put(y, 16, a11);
    put(y, 17, a22);
    put(y, 18, s9);
    put(y, 19, s13);
    put(y, 20, s16);
    put(y, 21, s2);
    put(y, 22, s4);
    put(y, 23, a33);
    put(y, 24, a44);
    put(y, 25, s10);
    put(y, 26, s12);
    put(y, 27, s15);
    const V s30 = a13 + a24;
    const V s31 = s1 + s30; // a11 + a13 + a22 + a24
    put(y, 28, s31);
    const V s32 = a23 + a24;
    const V s33 = s5 + s32; // a21 + a22 + a23 + a24
    put(y, 29, s33);
    const V s34 = a11 + a13;
    put(y, 30, s34);
    const V s35 = a22 + a24;
    put(y, 31, s35);
    const V s36 = a13 + a14;
    const V s37 = s9 + s36; // a11 + a12 + a13 + a14
    put(y, 32, s37);
    const V s38 = a13 - a23;
    const V s39 = s13 + s38; // a11 + a13 - a21 - a23
    put(y, 33, s39);
    const V s40 = a14 - a24;
    const V s41 = s16 + s40; // a12 + a14 - a22 - a24
    put(y, 34, s41);
    const V s42 = s1 - s18; // a11 + a22 - a31 - a42
    put(y, 35, s42);
    const V s43 = s5 - s20; // a21 + a22 - a41 - a42
    put(y, 36, s43);
    const V s44 = a11 - a31;
    put(y, 37, s44);
    const V s45 = a22 - a42;
    put(y, 38, s45);
    const V s46 = s9 - s24; // a11 + a12 - a31 - a32
    put(y, 39, s46);
    const V s47 = s13 - s26; // a11 - a21 - a31 + a41
    put(y, 40, s47);
    const V s48 = s16 - s28; // a12 - a22 - a32 + a42
    put(y, 41, s48);
    const V s49 = s2 - s30; // -a13 - a24 + a33 + a44
    put(y, 42, s49);
    const V s50 = s4 - s32; // -a23 - a24 + a43 + a44
    put(y, 43, s50);
    const V s51 = a13 - a33;
    put(y, 44, s51);
    const V s52 = a24 - a44;
    put(y, 45, s52);
    const V s53 = s10 - s36; // -a13 - a14 + a33 + a34
    put(y, 46, s53);
    const V s54 = s12 - s38; // -a13 + a23 + a33 - a43
    put(y, 47, s54);
    const V s55 = s15 - s40; // -a14 + a24 + a34 - a44
    put(y, 48, s55);
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
    const V t1 = b11 + b22;
    const V t2 = b33 + b44;
    const V t3 = t1 + t2; // b11 + b22 + b33 + b44
    put(y, 0, t3);
    const V t4 = b11 + b33;
    put(y, 1, t4);
    const V t5 = b34 - b44;
    const V t6 = b12 - b22;
    const V t7 = t5 + t6; // b12 - b22 + b34 - b44
    put(y, 2, t7);
    const V t8 = b33 - b43;
    const V t9 = b11 - b21;
    const V t10 = t8 + t9; // b11 - b21 + b33 - b43
    put(y, 3, t10);
    const V t11 = b22 + b44;
    put(y, 4, t11);
    const V t12 = b11 + b12;
    const V t13 = b33 + b34;
    const V t14 = t12 + t13; // b11 + b12 + b33 + b34
    put(y, 5, t14);
    const V t15 = b43 + b44;
    const V t16 = b21 + b22;
    const V t17 = t15 + t16; // b21 + b22 + b43 + b44
    put(y, 6, t17);
    put(y, 7, t1);
    put(y, 8, b11);
    put(y, 9, t6);
    put(y, 10, t9);
    put(y, 11, b22);
    put(y, 12, t12);
    put(y, 13, t16);
    const V t18 = b13 + b24;
    const V t19 = t2 - t18; // -b13 - b24 + b33 + b44
    put(y, 14, t19);
    const V t20 = b13 - b33;
    put(y, 15, t20);
    const V t21 = b14 - b24;
    const V t22 = t5 - t21; // -b14 + b24 + b34 - b44
    put(y, 16, t22);
    const V t23 = b13 - b23;
    const V t24 = t8 - t23; // -b13 + b23 + b33 - b43
    put(y, 17, t24);
    const V t25 = b24 - b44;
    put(y, 18, t25);
    const V t26 = b13 + b14;
    const V t27 = t13 - t26; // -b13 - b14 + b33 + b34
    put(y, 19, t27);
    const V t28 = b23 + b24;
    const V t29 = t15 - t28; // -b23 - b24 + b43 + b44
    put(y, 20, t29);
    const V t30 = b31 + b42;
    const V t31 = t1 - t30; // b11 + b22 - b31 - b42
    put(y, 21, t31);
    const V t32 = b11 - b31;
    put(y, 22, t32);
    const V t33 = b32 - b42;
    const V t34 = t6 - t33; // b12 - b22 - b32 + b42
    put(y, 23, t34);
    const V t35 = b31 - b41;
    const V t36 = t9 - t35; // b11 - b21 - b31 + b41
    put(y, 24, t36);
    const V t37 = b22 - b42;
    put(y, 25, t37);
    const V t38 = b31 + b32;
    const V t39 = t12 - t38; // b11 + b12 - b31 - b32
    put(y, 26, t39);
    const V t40 = b41 + b42;
    const V t41 = t16 - t40; // b21 + b22 - b41 - b42
    put(y, 27, t41);
    put(y, 28, t2);
    put(y, 29, b33);
    put(y, 30, t5);
    put(y, 31, t8);
    put(y, 32, b44);
    put(y, 33, t13);
    put(y, 34, t15);
    const V t42 = t1 + t18; // b11 + b13 + b22 + b24
    put(y, 35, t42);
    const V t43 = b11 + b13;
    put(y, 36, t43);
    const V t44 = t6 + t21; // b12 + b14 - b22 - b24
    put(y, 37, t44);
    const V t45 = t9 + t23; // b11 + b13 - b21 - b23
    put(y, 38, t45);
    const V t46 = b22 + b24;
    put(y, 39, t46);
    const V t47 = t12 + t26; // b11 + b12 + b13 + b14
    put(y, 40, t47);
    const V t48 = t16 + t28; // b21 + b22 + b23 + b24
    put(y, 41, t48);
    const V t49 = t2 + t30; // b31 + b33 + b42 + b44
    put(y, 42, t49);
    const V t50 = b31 + b33;
    put(y, 43, t50);
    const V t51 = t5 + t33; // b32 + b34 - b42 - b44
    put(y, 44, t51);
    const V t52 = t8 + t35; // b31 + b33 - b41 - b43
    put(y, 45, t52);
    const V t53 = b42 + b44;
    put(y, 46, t53);
    const V t54 = t13 + t38; // b31 + b32 + b33 + b34
    put(y, 47, t54);
    const V t55 = t15 + t40; // b41 + b42 + b43 + b44
    put(y, 48, t55);
}

static inline void combine(const Batch *y, const Target *z) {
    const V p1 = product(y, 0);
    const V p2 = product(y, 1);
    const V p3 = product(y, 2);
    const V p4 = product(y, 3);
    const V p5 = product(y, 4);
    const V p6 = product(y, 5);
    const V q1 = p1 - p6;
    const V p7 = product(y, 6);
    const V q2 = p1 + p7;
    const V p8 = product(y, 7);
    const V p9 = product(y, 8);
    const V p10 = product(y, 9);
    const V q3 = p3 - p10;
    const V p11 = product(y, 10);
    const V p12 = product(y, 11);
    const V p13 = product(y, 12);
    const V q4 = p8 - p13;
    const V p14 = product(y, 13);
    const V q5 = p8 + p14;
    const V p15 = product(y, 14);
    const V p16 = product(y, 15);
    const V q6 = p9 - p16;
    const V q7 = p2 - q6;
    const V p17 = product(y, 16);
    const V p18 = product(y, 17);
    const V q8 = p4 - p18;
    const V p19 = product(y, 18);
    const V p20 = product(y, 19);
    const V q9 = p15 - p20;
    const V q10 = p17 + q9;
    const V p21 = product(y, 20);
    const V q11 = p15 + p21;
    const V p22 = product(y, 21);
    const V p23 = product(y, 22);
    const V q12 = p9 - p23;
    const V q13 = q12 - q4;
    const V p24 = product(y, 23);
    const V q14 = p3 - p24;
    const V q15 = p10 - p24;
    const V p25 = product(y, 24);
    const V q16 = p11 - p25;
    const V q17 = q5 - q16;
    const V q18 = q12 - q16;
    give(z, 3, 0, q18);
    const V p26 = product(y, 25);
    const V q19 = p12 - p26;
    const V q20 = q15 + q19;
    give(z, 2, 1, q20);
    const V p27 = product(y, 26);
    const V q21 = p22 - p27;
    const V q22 = q21 + q13;
    const V q23 = q15 - q22;
    give(z, 3, 1, q23);
    const V p28 = product(y, 27);
    const V q24 = p22 + p28;
    const V q25 = q24 - q17;
    const V q26 = q19 + q25;
    give(z, 2, 0, -q26);
    const V p29 = product(y, 28);
    const V p30 = product(y, 29);
    const V q27 = p16 + p30;
    const V p31 = product(y, 30);
    const V q28 = p29 + p31;
    const V q29 = p17 - p31;
    const V p32 = product(y, 31);
    const V q30 = p18 - p32;
    const V q31 = q27 + q30;
    give(z, 1, 2, q31);
    const V p33 = product(y, 32);
    const V q32 = p26 + p33;
    const V q33 = p19 + p33;
    const V q34 = q11 + q33;
    const V q35 = q33 - q29;
    give(z, 0, 3, q35);
    const V p34 = product(y, 33);
    const V q36 = p34 - q28;
    const V q37 = q10 + q36;
    const V q38 = q27 + q37;
    give(z, 1, 3, -q38);
    const V p35 = product(y, 34);
    const V q39 = p29 + p35;
    const V q40 = q39 - q2;
    const V q41 = q30 + q39;
    const V q42 = q41 - q34;
    give(z, 0, 2, q42);
    const V p36 = product(y, 35);
    const V p37 = product(y, 36);
    const V q43 = p37 - q7;
    const V q44 = q10 - q43;
    const V p38 = product(y, 37);
    const V q45 = p38 - q3;
    const V q46 = q4 + q45;
    const V q47 = q1 - q46;
    const V p39 = product(y, 38);
    const V q48 = p11 + p39;
    const V q49 = q8 - q48;
    const V q50 = q5 + q49;
    const V q51 = q49 + q43;
    give(z, 3, 2, -q51);
    const V p40 = product(y, 39);
    const V q52 = p19 - p40;
    const V q53 = p5 + q52;
    const V q54 = p12 - q53;
    const V q55 = q54 + q2;
    const V q56 = q11 - q55;
    const V q57 = p17 + q54;
    const V q58 = q45 + q57;
    give(z, 2, 3, -q58);
    const V p41 = product(y, 40);
    const V q59 = p36 - p41;
    const V q60 = q59 + q44;
    const V q61 = q60 - q47;
    give(z, 3, 3, -q61);
    const V p42 = product(y, 41);
    const V q62 = p36 + p42;
    const V q63 = q62 + q50;
    const V q64 = q63 + q56;
    give(z, 2, 2, -q64);
    const V p43 = product(y, 42);
    const V q65 = p22 + p43;
    const V q66 = q65 - q36;
    const V p44 = product(y, 43);
    const V q67 = p23 + p44;
    const V q68 = p30 + q67;
    const V q69 = p2 - q68;
    const V p45 = product(y, 44);
    const V q70 = p45 + q14;
    const V q71 = p31 - q70;
    const V q72 = q70 + q1;
    const V q73 = q69 - q72;
    const V p46 = product(y, 45);
    const V q74 = p4 + p46;
    const V q75 = p25 - q74;
    const V q76 = p32 + q75;
    const V q77 = q65 - q76;
    const V q78 = q76 + q69;
    give(z, 1, 0, q78);
    const V p47 = product(y, 46);
    const V q79 = p47 + q32;
    const V q80 = p5 - q79;
    const V q81 = q80 + q40;
    const V q82 = q80 - q71;
    give(z, 0, 1, q82);
    const V p48 = product(y, 47);
    const V q83 = p27 + p48;
    const V q84 = q83 - q66;
    const V q85 = q84 - q73;
    give(z, 1, 1, q85);
    const V p49 = product(y, 48);
    const V q86 = p28 + p49;
    const V q87 = q86 + q77;
    const V q88 = q87 + q81;
    give(z, 0, 0, -q88);
}
