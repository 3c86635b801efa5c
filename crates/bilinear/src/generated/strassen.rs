//! C = A B, 4 x 4 times 4 x 4, by the scheme `strassen`: 49 products, 198 additions (55 of elements of A, 55 of B, 88
//! of products); right up to 830 (eps / 2) max|A| max|B| to first order. Made by the generator of crates/bilinear from
//! its table of the scheme.
//! Scheme: V. Strassen, Gaussian elimination is not optimal, Numerische Mathematik 13 (1969)
//! Licence of the source: none needed.

use crate::real::Real;

#[inline(always)]
pub(crate) fn strassen<T: Real, const FMA: bool>(a: &[T; 16], b: &[T; 16], mut store: impl FnMut(usize, T)) {
    let [a11, a12, a13, a14, a21, a22, a23, a24, a31, a32, a33, a34, a41, a42, a43, a44] = *a;
    let [b11, b12, b13, b14, b21, b22, b23, b24, b31, b32, b33, b34, b41, b42, b43, b44] = *b;
    let s1 = a11 + a22;
    let s2 = a33 + a44;
    let s3 = s1 + s2; // a11 + a22 + a33 + a44
    let t1 = b11 + b22;
    let t2 = b33 + b44;
    let t3 = t1 + t2; // b11 + b22 + b33 + b44
    let p1 = s3 * t3;
    let s4 = a43 + a44;
    let s5 = a21 + a22;
    let s6 = s4 + s5; // a21 + a22 + a43 + a44
    let t4 = b11 + b33;
    let p2 = s6 * t4;
    let s7 = a11 + a33;
    let t5 = b34 - b44;
    let t6 = b12 - b22;
    let t7 = t5 + t6; // b12 - b22 + b34 - b44
    let p3 = s7 * t7;
    let s8 = a22 + a44;
    let t8 = b33 - b43;
    let t9 = b11 - b21;
    let t10 = t8 + t9; // b11 - b21 + b33 - b43
    let p4 = s8 * t10;
    let s9 = a11 + a12;
    let s10 = a33 + a34;
    let s11 = s9 + s10; // a11 + a12 + a33 + a34
    let t11 = b22 + b44;
    let p5 = s11 * t11;
    let s12 = a33 - a43;
    let s13 = a11 - a21;
    let s14 = s12 + s13; // a11 - a21 + a33 - a43
    let t12 = b11 + b12;
    let t13 = b33 + b34;
    let t14 = t12 + t13; // b11 + b12 + b33 + b34
    let q1 = (-s14).fused::<FMA>(t14, p1);
    let s15 = a34 - a44;
    let s16 = a12 - a22;
    let s17 = s15 + s16; // a12 - a22 + a34 - a44
    let t15 = b43 + b44;
    let t16 = b21 + b22;
    let t17 = t15 + t16; // b21 + b22 + b43 + b44
    let q2 = s17.fused::<FMA>(t17, p1);
    let s18 = a31 + a42;
    let s19 = s2 + s18; // a31 + a33 + a42 + a44
    let p8 = s19 * t1;
    let s20 = a41 + a42;
    let s21 = s4 + s20; // a41 + a42 + a43 + a44
    let p9 = s21 * b11;
    let s22 = a31 + a33;
    let p10 = s22 * t6;
    let q3 = p3 - p10;
    let s23 = a42 + a44;
    let p11 = s23 * t9;
    let s24 = a31 + a32;
    let s25 = s10 + s24; // a31 + a32 + a33 + a34
    let p12 = s25 * b22;
    let s26 = a31 - a41;
    let s27 = s12 + s26; // a31 + a33 - a41 - a43
    let q4 = (-s27).fused::<FMA>(t12, p8);
    let s28 = a32 - a42;
    let s29 = s15 + s28; // a32 + a34 - a42 - a44
    let q5 = s29.fused::<FMA>(t16, p8);
    let t18 = b13 + b24;
    let t19 = t2 - t18; // -b13 - b24 + b33 + b44
    let p15 = s1 * t19;
    let t20 = b13 - b33;
    let p16 = s5 * t20;
    let q6 = p9 - p16;
    let q7 = p2 - q6;
    let t21 = b14 - b24;
    let t22 = t5 - t21; // -b14 + b24 + b34 - b44
    let p17 = a11 * t22;
    let t23 = b13 - b23;
    let t24 = t8 - t23; // -b13 + b23 + b33 - b43
    let p18 = a22 * t24;
    let q8 = p4 - p18;
    let t25 = b24 - b44;
    let p19 = s9 * t25;
    let t26 = b13 + b14;
    let t27 = t13 - t26; // -b13 - b14 + b33 + b34
    let q9 = (-s13).fused::<FMA>(t27, p15);
    let q10 = p17 + q9;
    let t28 = b23 + b24;
    let t29 = t15 - t28; // -b23 - b24 + b43 + b44
    let q11 = s16.fused::<FMA>(t29, p15);
    let t30 = b31 + b42;
    let t31 = t1 - t30; // b11 + b22 - b31 - b42
    let p22 = s2 * t31;
    let t32 = b11 - b31;
    let p23 = s4 * t32;
    let q12 = p9 - p23;
    let q13 = q12 - q4;
    let t33 = b32 - b42;
    let t34 = t6 - t33; // b12 - b22 - b32 + b42
    let p24 = a33 * t34;
    let q14 = p3 - p24;
    let q15 = p10 - p24;
    let t35 = b31 - b41;
    let t36 = t9 - t35; // b11 - b21 - b31 + b41
    let p25 = a44 * t36;
    let q16 = p11 - p25;
    let q17 = q5 - q16;
    let q18 = q12 - q16;
    store(12, q18);
    let t37 = b22 - b42;
    let p26 = s10 * t37;
    let q19 = p12 - p26;
    let q20 = q15 + q19;
    store(9, q20);
    let t38 = b31 + b32;
    let t39 = t12 - t38; // b11 + b12 - b31 - b32
    let p27 = s12 * t39;
    let q21 = p22 - p27;
    let q22 = q21 + q13;
    let q23 = q15 - q22;
    store(13, q23);
    let t40 = b41 + b42;
    let t41 = t16 - t40; // b21 + b22 - b41 - b42
    let p28 = s15 * t41;
    let q24 = p22 + p28;
    let q25 = q24 - q17;
    let q26 = q19 + q25;
    store(8, -q26);
    let s30 = a13 + a24;
    let s31 = s1 + s30; // a11 + a13 + a22 + a24
    let p29 = s31 * t2;
    let s32 = a23 + a24;
    let s33 = s5 + s32; // a21 + a22 + a23 + a24
    let p30 = s33 * b33;
    let q27 = p16 + p30;
    let s34 = a11 + a13;
    let p31 = s34 * t5;
    let q28 = p29 + p31;
    let q29 = p17 - p31;
    let s35 = a22 + a24;
    let p32 = s35 * t8;
    let q30 = p18 - p32;
    let q31 = q27 + q30;
    store(6, q31);
    let s36 = a13 + a14;
    let s37 = s9 + s36; // a11 + a12 + a13 + a14
    let p33 = s37 * b44;
    let q32 = p26 + p33;
    let q33 = p19 + p33;
    let q34 = q11 + q33;
    let q35 = q33 - q29;
    store(3, q35);
    let s38 = a13 - a23;
    let s39 = s13 + s38; // a11 + a13 - a21 - a23
    let q36 = s39.fused::<FMA>(t13, -q28);
    let q37 = q10 + q36;
    let q38 = q27 + q37;
    store(7, -q38);
    let s40 = a14 - a24;
    let s41 = s16 + s40; // a12 + a14 - a22 - a24
    let q39 = s41.fused::<FMA>(t15, p29);
    let q40 = q39 - q2;
    let q41 = q30 + q39;
    let q42 = q41 - q34;
    store(2, q42);
    let s42 = s1 - s18; // a11 + a22 - a31 - a42
    let t42 = t1 + t18; // b11 + b13 + b22 + b24
    let p36 = s42 * t42;
    let s43 = s5 - s20; // a21 + a22 - a41 - a42
    let t43 = b11 + b13;
    let q43 = s43.fused::<FMA>(t43, -q7);
    let q44 = q10 - q43;
    let s44 = a11 - a31;
    let t44 = t6 + t21; // b12 + b14 - b22 - b24
    let q45 = s44.fused::<FMA>(t44, -q3);
    let q46 = q4 + q45;
    let q47 = q1 - q46;
    let s45 = a22 - a42;
    let t45 = t9 + t23; // b11 + b13 - b21 - b23
    let q48 = s45.fused::<FMA>(t45, p11);
    let q49 = q8 - q48;
    let q50 = q5 + q49;
    let q51 = q49 + q43;
    store(14, -q51);
    let s46 = s9 - s24; // a11 + a12 - a31 - a32
    let t46 = b22 + b24;
    let q52 = (-s46).fused::<FMA>(t46, p19);
    let q53 = p5 + q52;
    let q54 = p12 - q53;
    let q55 = q54 + q2;
    let q56 = q11 - q55;
    let q57 = p17 + q54;
    let q58 = q45 + q57;
    store(11, -q58);
    let s47 = s13 - s26; // a11 - a21 - a31 + a41
    let t47 = t12 + t26; // b11 + b12 + b13 + b14
    let q59 = (-s47).fused::<FMA>(t47, p36);
    let q60 = q59 + q44;
    let q61 = q60 - q47;
    store(15, -q61);
    let s48 = s16 - s28; // a12 - a22 - a32 + a42
    let t48 = t16 + t28; // b21 + b22 + b23 + b24
    let q62 = s48.fused::<FMA>(t48, p36);
    let q63 = q62 + q50;
    let q64 = q63 + q56;
    store(10, -q64);
    let s49 = s2 - s30; // -a13 - a24 + a33 + a44
    let t49 = t2 + t30; // b31 + b33 + b42 + b44
    let q65 = s49.fused::<FMA>(t49, p22);
    let q66 = q65 - q36;
    let s50 = s4 - s32; // -a23 - a24 + a43 + a44
    let t50 = b31 + b33;
    let q67 = s50.fused::<FMA>(t50, p23);
    let q68 = p30 + q67;
    let q69 = p2 - q68;
    let s51 = a13 - a33;
    let t51 = t5 + t33; // b32 + b34 - b42 - b44
    let q70 = s51.fused::<FMA>(t51, q14);
    let q71 = p31 - q70;
    let q72 = q70 + q1;
    let q73 = q69 - q72;
    let s52 = a24 - a44;
    let t52 = t8 + t35; // b31 + b33 - b41 - b43
    let q74 = s52.fused::<FMA>(t52, p4);
    let q75 = p25 - q74;
    let q76 = p32 + q75;
    let q77 = q65 - q76;
    let q78 = q76 + q69;
    store(4, q78);
    let s53 = s10 - s36; // -a13 - a14 + a33 + a34
    let t53 = b42 + b44;
    let q79 = s53.fused::<FMA>(t53, q32);
    let q80 = p5 - q79;
    let q81 = q80 + q40;
    let q82 = q80 - q71;
    store(1, q82);
    let s54 = s12 - s38; // -a13 + a23 + a33 - a43
    let t54 = t13 + t38; // b31 + b32 + b33 + b34
    let q83 = s54.fused::<FMA>(t54, p27);
    let q84 = q83 - q66;
    let q85 = q84 - q73;
    store(5, q85);
    let s55 = s15 - s40; // -a14 + a24 + a34 - a44
    let t55 = t15 + t40; // b41 + b42 + b43 + b44
    let q86 = s55.fused::<FMA>(t55, p28);
    let q87 = q86 + q77;
    let q88 = q87 + q81;
    store(0, -q88);
}
