// C = A B, 4 x 4 times 4 x 4, by the scheme `rank48`: 48 products, 315 additions (94 of elements of A, 110 of B, 111 of
// products); right up to 1251.5 (eps / 2) max|A| max|B| to first order. Made by the generator of crates/bilinear from
// its table of the scheme.
// Scheme: A more accurate rational non-commutative algorithm for multiplying 4x4 matrices using 48 multiplications,
// arXiv 2603.18699 (2026); github.com/jgdumas/plinopt, data/4x4x4_48_accurate
// Licence of the source: CeCILL-B, the authors of PLinOpt; brought into another form.
//
// What is computed for each place of a block; gemm_fast_blocks.cl has what blocks and products are.

#define PRODUCTS 48

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
    const V s1 = a14 - a24;
    const V s2 = a22 - s1; // -a14 + a22 + a24
    const V s3 = a12 - s2; // a12 + a14 - a22 - a24
    put(y, 0, s3);
    const V s4 = a11 + a21;
    const V s5 = a13 + a23;
    const V s6 = s4 + s5; // a11 + a13 + a21 + a23
    put(y, 1, s6);
    const V s7 = a22 - a42;
    const V s8 = a21 - a41;
    const V s9 = s7 + s8; // a21 + a22 - a41 - a42
    put(y, 2, s9);
    const V s10 = a31 - a41;
    const V s11 = a33 - s10; // -a31 + a33 + a41
    const V s12 = a43 - s11; // a31 - a33 - a41 + a43
    put(y, 3, s12);
    const V s13 = a11 - a31;
    const V s14 = a13 - a33;
    const V s15 = s13 + s14; // a11 + a13 - a31 - a33
    put(y, 4, s15);
    const V s16 = a21 + a41;
    const V s17 = a22 + a42;
    const V s18 = s16 + s17; // a21 + a22 + a41 + a42
    put(y, 5, s18);
    const V s19 = a24 - a44;
    const V s20 = a23 + s19; // a23 + a24 - a44
    const V s21 = a43 - s20; // -a23 - a24 + a43 + a44
    put(y, 6, s21);
    const V s22 = a14 + a34;
    const V s23 = a13 + a33;
    const V s24 = s22 - s23; // -a13 + a14 - a33 + a34
    put(y, 7, s24);
    const V s25 = a23 + s16; // a21 + a23 + a41
    const V s26 = a43 + s25; // a21 + a23 + a41 + a43
    put(y, 8, s26);
    const V s27 = a11 + a31;
    const V s28 = s23 - s27; // -a11 + a13 - a31 + a33
    put(y, 9, s28);
    const V s29 = a32 + a42;
    const V s30 = a31 + a41;
    const V s31 = s29 - s30; // -a31 + a32 - a41 + a42
    put(y, 10, s31);
    const V s32 = s22 + s23; // a13 + a14 + a33 + a34
    put(y, 11, s32);
    const V s33 = a32 + s13; // a11 - a31 + a32
    const V s34 = a12 - s33; // -a11 + a12 + a31 - a32
    put(y, 12, s34);
    const V s35 = s16 - s17; // a21 - a22 + a41 - a42
    put(y, 13, s35);
    const V s36 = a13 - a23;
    const V s37 = a11 - a21;
    const V s38 = s36 + s37; // a11 + a13 - a21 - a23
    put(y, 14, s38);
    const V s39 = s13 - s14; // a11 - a13 - a31 + a33
    put(y, 15, s39);
    const V s40 = s4 - s5; // a11 - a13 + a21 - a23
    put(y, 16, s40);
    const V s41 = s1 - s36; // -a13 + a14 + a23 - a24
    put(y, 17, s41);
    const V s42 = a32 - a42;
    const V s43 = a34 - a44;
    const V s44 = s42 - s43; // a32 - a34 - a42 + a44
    put(y, 18, s44);
    const V s45 = a22 + s4; // a11 + a21 + a22
    const V s46 = a12 + s45; // a11 + a12 + a21 + a22
    put(y, 19, s46);
    const V s47 = a34 + a44;
    const V s48 = s47 - s29; // -a32 + a34 - a42 + a44
    put(y, 20, s48);
    const V s49 = a14 + a24;
    const V s50 = s5 + s49; // a13 + a14 + a23 + a24
    put(y, 21, s50);
    const V s51 = s10 + s42; // a31 + a32 - a41 - a42
    put(y, 22, s51);
    const V s52 = s19 - s7; // -a22 + a24 + a42 - a44
    put(y, 23, s52);
    const V s53 = a14 - a34;
    const V s54 = s14 - s53; // a13 - a14 - a33 + a34
    put(y, 24, s54);
    const V s55 = a24 + a44;
    const V s56 = s17 + s55; // a22 + a24 + a42 + a44
    put(y, 25, s56);
    const V s57 = a32 - s22; // -a14 + a32 - a34
    const V s58 = a12 + s57; // a12 - a14 + a32 - a34
    put(y, 26, s58);
    const V s59 = s1 + s36; // a13 + a14 - a23 - a24
    put(y, 27, s59);
    const V s60 = s19 + s7; // a22 + a24 - a42 - a44
    put(y, 28, s60);
    const V s61 = s47 + s29; // a32 + a34 + a42 + a44
    put(y, 29, s61);
    const V s62 = a33 - s47; // a33 - a34 - a44
    const V s63 = a43 + s62; // a33 - a34 + a43 - a44
    put(y, 30, s63);
    const V s64 = s10 - s42; // a31 - a32 - a41 + a42
    put(y, 31, s64);
    const V s65 = s13 - s16; // a11 - a21 - a31 - a41
    const V s66 = s47 + s1; // a14 - a24 + a34 + a44
    const V s67 = (REAL)2 * s29 - s66; // -a14 + a24 + 2 a32 - a34 + 2 a42 - a44
    const V s68 = s65 + s67; // a11 - a14 - a21 + a24 - a31 + 2 a32 - a34 - a41 + 2 a42 - a44
    put(y, 32, s68);
    const V s69 = a13 - s45; // -a11 + a13 - a21 - a22
    put(y, 33, s69);
    const V s70 = a13 - s57; // a13 + a14 - a32 + a34
    put(y, 34, s70);
    const V s71 = s4 + s10; // a11 + a21 + a31 - a41
    const V s72 = (REAL)2 * s7 - s66; // -a14 + 2 a22 + a24 - a34 - 2 a42 - a44
    const V s73 = s71 + s72; // a11 - a14 + a21 + 2 a22 + a24 + a31 - a34 - a41 - 2 a42 - a44
    put(y, 35, s73);
    const V s74 = s19 + s22; // a14 + a24 + a34 - a44
    const V s75 = s13 + s16; // a11 + a21 - a31 + a41
    const V s76 = (REAL)2 * s42 + s75; // a11 + a21 - a31 + 2 a32 + a41 - 2 a42
    const V s77 = s74 - s76; // -a11 + a14 - a21 + a24 + a31 - 2 a32 + a34 - a41 + 2 a42 - a44
    put(y, 36, s77);
    const V s78 = a13 + s33; // a11 + a13 - a31 + a32
    put(y, 37, s78);
    const V s79 = a42 + s20; // a23 + a24 + a42 - a44
    put(y, 38, s79);
    const V s80 = a42 + s11; // -a31 + a33 + a41 + a42
    put(y, 39, s80);
    const V s81 = a13 + s2; // a13 - a14 + a22 + a24
    put(y, 40, s81);
    const V s82 = a42 - s25; // -a21 - a23 - a41 + a42
    put(y, 41, s82);
    const V s83 = (REAL)2 * s36 + s66; // 2 a13 + a14 - 2 a23 - a24 + a34 + a44
    const V s84 = s65 + s83; // a11 + 2 a13 + a14 - a21 - 2 a23 - a24 - a31 + a34 - a41 + a44
    put(y, 42, s84);
    const V s85 = a42 - s62; // -a33 + a34 + a42 + a44
    put(y, 43, s85);
    const V s86 = s47 - s1; // -a14 + a24 + a34 + a44
    const V s87 = s75 - (REAL)2 * s14; // a11 - 2 a13 + a21 - a31 + 2 a33 + a41
    const V s88 = s86 - s87; // -a11 + 2 a13 - a14 - a21 + a24 + a31 - 2 a33 + a34 - a41 + a44
    put(y, 44, s88);
    const V s89 = s75 + (REAL)2 * s5; // a11 + 2 a13 + a21 + 2 a23 - a31 + a41
    const V s90 = s74 + s89; // a11 + 2 a13 + a14 + a21 + 2 a23 + a24 - a31 + a34 + a41 - a44
    put(y, 45, s90);
    const V s91 = (REAL)2 * s23 - s66; // 2 a13 - a14 + a24 + 2 a33 - a34 - a44
    const V s92 = s71 - s91; // a11 - 2 a13 + a14 + a21 - a24 + a31 - 2 a33 + a34 - a41 + a44
    put(y, 46, s92);
    const V s93 = s75 + (REAL)2 * s17; // a11 + a21 + 2 a22 - a31 + a41 + 2 a42
    const V s94 = s86 + s93; // a11 - a14 + a21 + 2 a22 + a24 - a31 + a34 + a41 + 2 a42 + a44
    put(y, 47, s94);
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
    const V t1 = b22 + b24;
    put(y, 0, t1);
    const V t2 = b24 + b44;
    const V t3 = b32 - b42;
    const V t4 = b22 - t3; // b22 - b32 + b42
    const V t5 = b12 - t4; // b12 - b22 + b32 - b42
    const V t6 = b14 + b34;
    const V t7 = t5 - t6; // b12 - b14 - b22 + b32 - b34 - b42
    const V t8 = t2 + t7; // b12 - b14 - b22 + b24 + b32 - b34 - b42 + b44
    put(y, 1, t8);
    const V t9 = b12 - b13;
    put(y, 2, t9);
    const V t10 = b31 + b33;
    put(y, 3, t10);
    const V t11 = b41 - b44;
    const V t12 = b24 - t11; // b24 - b41 + b44
    const V t13 = b11 + b21;
    const V t14 = b31 + t13; // b11 + b21 + b31
    const V t15 = t14 - t6; // b11 - b14 + b21 + b31 - b34
    const V t16 = t12 - t15; // -b11 + b14 - b21 + b24 - b31 + b34 - b41 + b44
    put(y, 4, t16);
    const V t17 = b41 + b44;
    const V t18 = b14 - b34;
    const V t19 = b24 + t18; // b14 + b24 - b34
    const V t20 = b31 - t13; // -b11 - b21 + b31
    const V t21 = t19 - t20; // b11 + b14 + b21 + b24 - b31 - b34
    const V t22 = t17 - t21; // -b11 - b14 - b21 - b24 + b31 + b34 + b41 + b44
    put(y, 5, t22);
    const V t23 = b32 - b33;
    put(y, 6, t23);
    const V t24 = b23 + b43;
    const V t25 = b33 - t24; // -b23 + b33 - b43
    const V t26 = b13 + t25; // b13 - b23 + b33 - b43
    const V t27 = t26 + t5; // b12 + b13 - b22 - b23 + b32 + b33 - b42 - b43
    put(y, 7, t27);
    const V t28 = b31 + b34;
    put(y, 8, t28);
    const V t29 = b12 + b13;
    put(y, 9, t29);
    const V t30 = b11 - b13;
    put(y, 10, t30);
    const V t31 = b12 + b22;
    const V t32 = b13 + t24; // b13 + b23 + b43
    const V t33 = b33 + t32; // b13 + b23 + b33 + b43
    const V t34 = b32 + b42;
    const V t35 = t33 + t34; // b13 + b23 + b32 + b33 + b42 + b43
    const V t36 = t31 + t35; // b12 + b13 + b22 + b23 + b32 + b33 + b42 + b43
    put(y, 11, t36);
    const V t37 = b21 - b24;
    put(y, 12, t37);
    const V t38 = b31 - t17; // b31 - b41 - b44
    const V t39 = b24 - t18; // -b14 + b24 + b34
    const V t40 = b11 - b21;
    const V t41 = t39 - t40; // -b11 - b14 + b21 + b24 + b34
    const V t42 = t38 + t41; // -b11 - b14 + b21 + b24 + b31 + b34 - b41 - b44
    put(y, 13, t42);
    const V t43 = b12 + b14;
    put(y, 14, t43);
    const V t44 = t19 + t20; // -b11 + b14 - b21 + b24 + b31 - b34
    const V t45 = t11 + t44; // -b11 + b14 - b21 + b24 + b31 - b34 + b41 - b44
    put(y, 15, t45);
    const V t46 = b12 - t3; // b12 - b32 + b42
    const V t47 = b22 - t46; // -b12 + b22 + b32 - b42
    const V t48 = b44 - t39; // b14 - b24 - b34 + b44
    const V t49 = t47 + t48; // -b12 + b14 + b22 - b24 + b32 - b34 - b42 + b44
    put(y, 16, t49);
    const V t50 = t47 - t48; // -b12 - b14 + b22 + b24 + b32 + b34 - b42 - b44
    put(y, 17, t50);
    const V t51 = b41 + b43;
    put(y, 18, t51);
    const V t52 = b22 - b24;
    put(y, 19, t52);
    const V t53 = b23 - b43;
    const V t54 = b41 + t20; // -b11 - b21 + b31 + b41
    const V t55 = b13 - b33;
    const V t56 = t54 + t55; // -b11 + b13 - b21 + b31 - b33 + b41
    const V t57 = t53 + t56; // -b11 + b13 - b21 + b23 + b31 - b33 + b41 - b43
    put(y, 20, t57);
    const V t58 = b42 - b44;
    put(y, 21, t58);
    const V t59 = b41 + t14; // b11 + b21 + b31 + b41
    const V t60 = t33 + t59; // b11 + b13 + b21 + b23 + b31 + b33 + b41 + b43
    put(y, 22, t60);
    const V t61 = t47 + t55; // -b12 + b13 + b22 + b32 - b33 - b42
    const V t62 = t53 - t61; // b12 - b13 - b22 + b23 - b32 + b33 + b42 - b43
    put(y, 23, t62);
    put(y, 24, t11);
    put(y, 25, t17);
    const V t63 = b22 + b23;
    put(y, 26, t63);
    const V t64 = b44 - t19; // -b14 - b24 + b34 + b44
    const V t65 = t34 - t31; // -b12 - b22 + b32 + b42
    const V t66 = t64 + t65; // -b12 - b14 - b22 - b24 + b32 + b34 + b42 + b44
    put(y, 27, t66);
    const V t67 = t26 - t5; // -b12 + b13 + b22 - b23 - b32 + b33 + b42 - b43
    put(y, 28, t67);
    const V t68 = t33 - t59; // -b11 + b13 - b21 + b23 - b31 + b33 - b41 + b43
    put(y, 29, t68);
    const V t69 = b31 - b33;
    put(y, 30, t69);
    const V t70 = b31 - b41;
    const V t71 = t26 + t40; // b11 + b13 - b21 - b23 + b33 - b43
    const V t72 = t70 + t71; // b11 + b13 - b21 - b23 + b31 + b33 - b41 - b43
    put(y, 31, t72);
    const V t73 = (REAL)2 * b13 + t54; // -b11 + 2 b13 - b21 + b31 + b41
    put(y, 32, t73);
    const V t74 = b33 - t32; // -b13 - b23 + b33 - b43
    const V t75 = t46 + t74; // b12 - b13 - b23 - b32 + b33 + b42 - b43
    const V t76 = (REAL)3 * b22 - t75; // -b12 + b13 + 3 b22 + b23 + b32 - b33 - b42 + b43
    const V t77 = t18 + t17; // b14 - b34 + b41 + b44
    const V t78 = (REAL)3 * b24 - t77; // -b14 + 3 b24 + b34 - b41 - b44
    const V t79 = t20 + t78; // -b11 - b14 - b21 + 3 b24 + b31 + b34 - b41 - b44
    const V t80 = t76 - t79;
    put(y, 33, t80);
    const V t81 = (REAL)2 * b22 + t33; // b13 + 2 b22 + b23 + b33 + b43
    put(y, 34, t81);
    const V t82 = t17 + t21; // b11 + b14 + b21 + b24 - b31 - b34 + b41 + b44
    const V t83 = (REAL)3 * b13 + t25; // 3 b13 - b23 + b33 - b43
    const V t84 = (REAL)3 * b12 - t4; // 3 b12 - b22 + b32 - b42
    const V t85 = t83 - t84; // -3 b12 + 3 b13 + b22 - b23 - b32 + b33 + b42 - b43
    const V t86 = t82 - t85;
    put(y, 35, t86);
    const V t87 = (REAL)2 * b41 - t26; // -b13 + b23 - b33 + 2 b41 + b43
    put(y, 36, t87);
    const V t88 = (REAL)2 * b24 - t59; // -b11 - b21 + 2 b24 - b31 - b41
    put(y, 37, t88);
    const V t89 = (REAL)2 * b33 - t47; // b12 - b22 - b32 + 2 b33 + b42
    put(y, 38, t89);
    const V t90 = t13 - t19; // b11 - b14 + b21 - b24 + b34
    const V t91 = t11 + t90; // b11 - b14 + b21 - b24 + b34 + b41 - b44
    const V t92 = b12 + t4; // b12 + b22 - b32 + b42
    const V t93 = t32 + t92; // b12 + b13 + b22 + b23 - b32 + b42 + b43
    const V t94 = (REAL)3 * t10 + t93; // b12 + b13 + b22 + b23 + 3 b31 - b32 + 3 b33 + b42 + b43
    const V t95 = t91 + t94;
    put(y, 39, t95);
    const V t96 = t76 + t79;
    put(y, 40, t96);
    const V t97 = (REAL)2 * b31 - t48; // -b14 + b24 + 2 b31 + b34 - b44
    put(y, 41, t97);
    const V t98 = (REAL)2 * b12 - t64; // 2 b12 + b14 + b24 - b34 - b44
    put(y, 42, t98);
    const V t99 = (REAL)3 * t69 - t93; // -b12 - b13 - b22 - b23 + 3 b31 + b32 - 3 b33 - b42 - b43
    const V t100 = t91 + t99;
    put(y, 43, t100);
    const V t101 = (REAL)3 * t11 + t92; // b12 + b22 - b32 + 3 b41 + b42 - 3 b44
    const V t102 = t74 - t44; // b11 - b13 - b14 + b21 - b23 - b24 - b31 + b33 + b34 - b43
    const V t103 = t101 - t102;
    put(y, 44, t103);
    const V t104 = (REAL)2 * b44 + t5; // b12 - b22 + b32 - b42 + 2 b44
    put(y, 45, t104);
    const V t105 = t11 - t44; // b11 - b14 + b21 - b24 - b31 + b34 + b41 - b44
    const V t106 = t83 + t84; // 3 b12 + 3 b13 - b22 - b23 + b32 + b33 - b42 - b43
    const V t107 = t105 - t106;
    put(y, 46, t107);
    const V t108 = (REAL)3 * t17 - t92; // -b12 - b22 + b32 + 3 b41 - b42 + 3 b44
    const V t109 = t74 + t21; // b11 - b13 + b14 + b21 - b23 + b24 - b31 + b33 - b34 - b43
    const V t110 = t108 - t109;
    put(y, 47, t110);
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
    const V p9 = product(y, 8);
    const V p10 = product(y, 9);
    const V q1 = p8 + (REAL)2 * p10;
    const V p11 = product(y, 10);
    const V p12 = product(y, 11);
    const V p13 = product(y, 12);
    const V p14 = product(y, 13);
    const V p15 = product(y, 14);
    const V p16 = product(y, 15);
    const V p17 = product(y, 16);
    const V p18 = product(y, 17);
    const V q2 = p17 + p18;
    const V p19 = product(y, 18);
    const V p20 = product(y, 19);
    const V q3 = p1 + p20;
    const V q4 = p1 - p20;
    const V p21 = product(y, 20);
    const V p22 = product(y, 21);
    const V p23 = product(y, 22);
    const V p24 = product(y, 23);
    const V p25 = product(y, 24);
    const V q5 = p16 + (REAL)2 * p25;
    const V p26 = product(y, 25);
    const V q6 = p6 + (REAL)2 * p26;
    const V q7 = p6 - (REAL)2 * p26;
    const V p27 = product(y, 26);
    const V p28 = product(y, 27);
    const V p29 = product(y, 28);
    const V q8 = (REAL)2 * p3 + p29;
    const V q9 = q5 + q8;
    const V q10 = q5 - q8;
    const V q11 = (REAL)8 * p13 - q10;
    const V q12 = (REAL)4 * p24 - q10;
    const V q13 = (REAL)4 * p5 + q10;
    const V q14 = (REAL)8 * p7 + q10;
    const V p30 = product(y, 29);
    const V p31 = product(y, 30);
    const V p32 = product(y, 31);
    const V p33 = product(y, 32);
    const V q15 = (REAL)4 * p11 + p33;
    const V q16 = (REAL)2 * p21 + p33;
    const V p34 = product(y, 33);
    const V p35 = product(y, 34);
    const V q17 = (REAL)2 * p27 + p35;
    const V q18 = p12 - p35;
    const V p36 = product(y, 35);
    const V q19 = (REAL)4 * p3 - p36;
    const V q20 = (REAL)2 * p29 - q19;
    const V q21 = q20 + (REAL)2 * q1;
    const V q22 = q20 - (REAL)2 * q1;
    const V p37 = product(y, 36);
    const V q23 = (REAL)2 * p32 + p37;
    const V q24 = (REAL)4 * p19 + p37;
    const V q25 = q16 - q24;
    const V q26 = q23 + q15;
    const V q27 = q21 + (REAL)2 * q26;
    const V q28 = q23 - q15;
    const V q29 = q27 - (REAL)4 * q2;
    const V p38 = product(y, 37);
    const V p39 = product(y, 38);
    const V p40 = product(y, 39);
    const V q30 = (REAL)2 * p23 + p40;
    const V q31 = (REAL)4 * p4 + p40;
    const V p41 = product(y, 40);
    const V q32 = p34 + p41;
    const V q33 = p34 - p41;
    const V q34 = (REAL)2 * p18 - q33;
    const V q35 = (REAL)2 * p17 - q34;
    const V q36 = q33 - (REAL)4 * q4;
    const V q37 = (REAL)2 * q32 + q21;
    const V q38 = (REAL)8 * q17 - q37;
    const V q39 = q35 + q25;
    const V q40 = q12 + q39;
    const V p42 = product(y, 41);
    const V q41 = p14 + p42;
    const V q42 = (REAL)2 * p9 + p42;
    const V p43 = product(y, 42);
    const V q43 = (REAL)4 * p15 - p43;
    const V q44 = (REAL)2 * p28 + p43;
    const V p44 = product(y, 43);
    const V q45 = (REAL)4 * p31 + p44;
    const V q46 = (REAL)2 * p30 + p44;
    const V q47 = q45 + q31;
    const V q48 = q45 - q31;
    const V q49 = q30 + q46;
    const V q50 = q30 - q46;
    const V q51 = q28 + q50;
    const V q52 = q21 - (REAL)2 * q49;
    const V q53 = q48 + q25;
    const V p45 = product(y, 44);
    const V q54 = (REAL)4 * p25 - p45;
    const V q55 = (REAL)2 * p16 - q54;
    const V q56 = (REAL)2 * q7 + q55;
    const V q57 = (REAL)2 * q7 - q55;
    const V q58 = (REAL)2 * q32 - q56;
    const V q59 = q57 + (REAL)2 * q24;
    const V q60 = q22 + q58;
    const V q61 = q56 + q22;
    const V q62 = (REAL)2 * q16 + q59;
    const V q63 = q60 + (REAL)8 * q3;
    const V q64 = (REAL)8 * q3 - q62;
    const V q65 = q64 - q38;
    const V q66 = (REAL)2 * q32 + q57;
    const V q67 = (REAL)8 * q41 + q66;
    const V q68 = q29 - q67;
    const V q69 = q62 + q52;
    const V q70 = q57 - (REAL)2 * q47;
    const V q71 = q27 + q70;
    give(z, 0, 2, -(REAL)0.0625 * q65);
    give(z, 1, 0, (REAL)0.0625 * q68);
    give(z, 2, 2, -(REAL)0.0625 * q69);
    give(z, 3, 0, -(REAL)0.0625 * q71);
    const V p46 = product(y, 45);
    const V q72 = (REAL)2 * p2 - p46;
    const V q73 = (REAL)4 * p22 + p46;
    const V q74 = q43 + q72;
    const V q75 = q43 - q72;
    const V q76 = q44 + q73;
    const V q77 = q44 - q73;
    const V q78 = (REAL)2 * q76 + q63;
    const V q79 = q75 - q36;
    const V q80 = q35 + q77;
    const V q81 = q60 - (REAL)2 * q74;
    const V q82 = (REAL)4 * q2 + q81;
    const V q83 = q61 - (REAL)2 * q76;
    const V q84 = (REAL)8 * q18 + q83;
    const V q85 = (REAL)2 * q49 - q84;
    const V q86 = q47 - q74;
    const V q87 = (REAL)4 * q42 - q86;
    const V q88 = q61 - (REAL)2 * q87;
    give(z, 0, 1, (REAL)0.0625 * q78);
    give(z, 1, 3, (REAL)0.0625 * q82);
    give(z, 2, 1, -(REAL)0.0625 * q85);
    give(z, 3, 3, -(REAL)0.0625 * q88);
    const V p47 = product(y, 46);
    const V q89 = (REAL)4 * p10 - p47;
    const V q90 = (REAL)2 * p8 - q89;
    const V p48 = product(y, 47);
    const V q91 = p48 - (REAL)2 * q6;
    const V q92 = q91 + q90;
    const V q93 = q91 - q90;
    const V q94 = (REAL)8 * p38 + q93;
    const V q95 = (REAL)8 * p39 + q93;
    const V q96 = (REAL)2 * q9 + q92;
    const V q97 = (REAL)2 * q9 - q92;
    const V q98 = q94 - (REAL)2 * q28;
    const V q99 = (REAL)2 * q11 - q98;
    const V q100 = (REAL)2 * q36 - q99;
    const V q101 = q97 + (REAL)2 * q79;
    const V q102 = q97 - (REAL)2 * q80;
    const V q103 = q95 - (REAL)2 * q40;
    const V q104 = q96 + (REAL)2 * q51;
    const V q105 = q94 + (REAL)2 * q75;
    const V q106 = (REAL)2 * q13 - q105;
    const V q107 = (REAL)2 * q50 - q106;
    const V q108 = (REAL)2 * q48 + q95;
    const V q109 = (REAL)2 * q14 - q108;
    const V q110 = (REAL)2 * q77 - q109;
    const V q111 = q96 - (REAL)2 * q53;
    give(z, 0, 0, -(REAL)0.0625 * q100);
    give(z, 0, 3, (REAL)0.0625 * q101);
    give(z, 1, 1, (REAL)0.0625 * q102);
    give(z, 1, 2, (REAL)0.0625 * q103);
    give(z, 2, 0, (REAL)0.0625 * q104);
    give(z, 2, 3, (REAL)0.0625 * q107);
    give(z, 3, 1, -(REAL)0.0625 * q110);
    give(z, 3, 2, (REAL)0.0625 * q111);
}
