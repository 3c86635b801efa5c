//! C = A B, 4 x 4 times 4 x 4, by the scheme `alphatensor`: 49 products, 168 additions (45 of elements of A, 45 of B,
//! 78 of products); right up to 2461 (eps / 2) max|A| max|B| to first order. Made by the generator of crates/bilinear
//! from its table of the scheme.
//! Scheme: A. Fawzi et al., Discovering faster matrix multiplication algorithms with reinforcement learning, Nature 610
//! (2022); github.com/google-deepmind/alphatensor, factorizations_r, key 4,4,4 (there the third factor is of the
//! transpose of C)
//! Licence of the source: CC-BY 4.0, the authors of AlphaTensor; brought into another form.

use crate::real::Real;

#[inline(always)]
pub(crate) fn alphatensor<T: Real, const FMA: bool>(a: &[T; 16], b: &[T; 16], mut store: impl FnMut(usize, T)) {
    let [a11, a12, a13, a14, a21, a22, a23, a24, a31, a32, a33, a34, a41, a42, a43, a44] = *a;
    let [b11, b12, b13, b14, b21, b22, b23, b24, b31, b32, b33, b34, b41, b42, b43, b44] = *b;
    let s1 = a11 + a31;
    let t1 = b11 + b31;
    let p1 = s1 * t1;
    let s2 = a13 - s1; // -a11 + a13 - a31
    let t2 = b13 - t1; // -b11 + b13 - b31
    let t3 = b33 + t2; // -b11 + b13 - b31 + b33
    let q1 = a13.fused::<FMA>(t3, p1);
    let p5 = a31 * b13;
    let q2 = s2.fused::<FMA>(t2, p5);
    let q3 = a33.fused::<FMA>(b33, p5);
    let s3 = a33 + s2; // -a11 + a13 - a31 + a33
    let s4 = a23 + a24;
    let s5 = a21 - a22;
    let s6 = s4 + s5; // a21 - a22 + a23 + a24
    let t4 = b23 + b24;
    let t5 = b21 - b22;
    let t6 = t4 + t5; // b21 - b22 + b23 + b24
    let p7 = s6 * t6;
    let s7 = a41 - a42;
    let s8 = s7 + s5; // a21 - a22 + a41 - a42
    let s9 = s4 + s8; // a21 - a22 + a23 + a24 + a41 - a42
    let t7 = b41 - b42;
    let t8 = t7 + t5; // b21 - b22 + b41 - b42
    let t9 = t4 + t8; // b21 - b22 + b23 + b24 + b41 - b42
    let s10 = a11 - a13;
    let t10 = b11 - b13;
    let q4 = s10.fused::<FMA>(t10, -q2);
    let q5 = s3.fused::<FMA>(b31, -q4);
    let p11 = s7 * t4;
    let q6 = s9.fused::<FMA>(t9, -p11);
    let q7 = s8.fused::<FMA>(t8, -q6);
    let q8 = p7 + q7;
    let s11 = a43 + a44;
    let s12 = s11 + s9; // a21 - a22 + a23 + a24 + a41 - a42 + a43 + a44
    let q9 = s12.fused::<FMA>(t7, p7);
    let q10 = q6 - q9;
    let t11 = b43 + b44;
    let t12 = t11 + t9; // b21 - b22 + b23 + b24 + b41 - b42 + b43 + b44
    let q11 = s4.fused::<FMA>(t12, q7);
    let s13 = a12 + a22;
    let s14 = a21 - s13; // -a12 + a21 - a22
    let s15 = a11 + s14; // a11 - a12 + a21 - a22
    let t13 = b12 + b14;
    let s16 = a12 + a14;
    let s17 = a14 + s4; // a14 + a23 + a24
    let s18 = s17 - s14; // a12 + a14 - a21 + a22 + a23 + a24
    let t14 = b14 + t4; // b14 + b23 + b24
    let t15 = b12 + b22;
    let t16 = b21 - t15; // -b12 + b21 - b22
    let t17 = t14 - t16; // b12 + b14 - b21 + b22 + b23 + b24
    let p16 = s18 * t17;
    let s19 = a32 - a42;
    let s20 = a41 + s19; // a32 + a41 - a42
    let s21 = s20 + s18; // a12 + a14 - a21 + a22 + a23 + a24 + a32 + a41 - a42
    let t18 = b32 - b42;
    let t19 = b41 + t18; // b32 + b41 - b42
    let t20 = t19 + t17; // b12 + b14 - b21 + b22 + b23 + b24 + b32 + b41 - b42
    let s22 = s20 - s14; // a12 - a21 + a22 + a32 + a41 - a42
    let t21 = t19 - t16; // b12 - b21 + b22 + b32 + b41 - b42
    let t22 = b34 - t11; // b34 - b43 - b44
    let t23 = t22 + t20; // b12 + b14 - b21 + b22 + b23 + b24 + b32 + b34 + b41 - b42 - b43 - b44
    let s23 = a34 - s11; // a34 - a43 - a44
    let s24 = s23 + s21; // a12 + a14 - a21 + a22 + a23 + a24 + a32 + a34 + a41 - a42 - a43 - a44
    let q12 = s24.fused::<FMA>(t19, p16);
    let p21 = s20 * t14;
    let q13 = s21.fused::<FMA>(t20, -p21);
    let q14 = s22.fused::<FMA>(t21, -q13);
    let q15 = s17.fused::<FMA>(t23, q14);
    let s25 = a14 + a24;
    let s26 = s13 + s25; // a12 + a14 + a22 + a24
    let t24 = b14 + b24;
    let t25 = t15 + t24; // b12 + b14 + b22 + b24
    let p22 = s26 * t25;
    let s27 = s19 + s26; // a12 + a14 + a22 + a24 + a32 - a42
    let t26 = t18 + t25; // b12 + b14 + b22 + b24 + b32 - b42
    let t27 = b34 - b44;
    let t28 = t26 + t27; // b12 + b14 + b22 + b24 + b32 + b34 - b42 - b44
    let s28 = a34 - a44;
    let s29 = s27 + s28; // a12 + a14 + a22 + a24 + a32 + a34 - a42 - a44
    let q16 = s29.fused::<FMA>(t18, p22);
    let p26 = s19 * t24;
    let q17 = s27.fused::<FMA>(t26, -p26);
    let q18 = (-s28).fused::<FMA>(t27, p26);
    let q19 = (-s23).fused::<FMA>(t22, p21);
    let s30 = a14 + a34;
    let p29 = s30 * b43;
    let s31 = a13 + s17; // a13 + a14 + a23 + a24
    let s32 = a33 + s23; // a33 + a34 - a43 - a44
    let s33 = s31 + s32; // a13 + a14 + a23 + a24 + a33 + a34 - a43 - a44
    let t29 = b14 + b34;
    let s34 = a31 - s20; // a31 - a32 - a41 + a42
    let s35 = s34 - s33; // -a13 - a14 - a23 - a24 + a31 - a32 - a33 - a34 - a41 + a42 + a43 + a44
    let s36 = s35 + s15;
    let t30 = b13 + t14; // b13 + b14 + b23 + b24
    let t31 = b33 + t22; // b33 + b34 - b43 - b44
    let t32 = t30 + t31; // b13 + b14 + b23 + b24 + b33 + b34 - b43 - b44
    let p32 = a43 * t32;
    let t33 = b21 - b41;
    let p33 = a14 * t33;
    let q20 = s16.fused::<FMA>(b21, -p33);
    let q21 = p16 + q20;
    let q22 = q14 + q21;
    let q23 = p1 + q20;
    let q24 = q4 + q23;
    store(0, q24);
    let q25 = q8 - q22;
    let s37 = a14 - a32;
    let t34 = b41 - b43;
    let t35 = b21 - t34; // b21 - b41 + b43
    let q26 = (-s37).fused::<FMA>(t35, p33);
    let t36 = b14 - b32;
    let s38 = s34 - s32; // a31 - a32 - a33 - a34 - a41 + a42 + a43 + a44
    let p36 = s38 * b32;
    let q27 = s35.fused::<FMA>(t36, p36);
    let q28 = s36.fused::<FMA>(b14, -q27);
    let q29 = s15.fused::<FMA>(t13, -q28);
    let q30 = q29 - q25;
    store(1, q30);
    let s39 = a12 + a32;
    let s40 = a32 + a34;
    let q31 = s40.fused::<FMA>(t34, p29);
    let q32 = q26 + q31;
    let q33 = q13 + q32;
    let q34 = q12 - q33;
    let q35 = q17 + q34;
    let q36 = q16 - q35;
    let q37 = q32 + q5;
    store(8, q37);
    let q38 = q10 - q34;
    let q39 = q10 + q36;
    store(13, q39);
    let t37 = b32 + b34;
    let p39 = s31 * t37;
    let q40 = p39 + q28;
    let q41 = s33.fused::<FMA>(t29, -p39);
    let t38 = b23 - t35; // -b21 + b23 + b41 - b43
    let q42 = a32.fused::<FMA>(t38, q26);
    let q43 = p29 + q42;
    let q44 = s39.fused::<FMA>(b23, -q42);
    let q45 = q43 - q19;
    let q46 = q44 + q15;
    let q47 = q46 + q11;
    let q48 = q2 - q44;
    let q49 = q1 - q48;
    store(2, q49);
    let q50 = q47 - q40;
    store(3, -q50);
    let q51 = q43 + q3;
    store(10, q51);
    let q52 = q18 + q45;
    let t39 = b11 + t16; // b11 - b12 + b21 - b22
    let p41 = a21 * t39;
    let q53 = p32 + p41;
    let s41 = a21 - a41;
    let t40 = b31 - t19; // b31 - b32 - b41 + b42
    let t41 = t40 - t32; // -b13 - b14 - b23 - b24 + b31 - b32 - b33 - b34 - b41 + b42 + b43 + b44
    let t42 = t41 + t39;
    let s42 = a41 - a43;
    let s43 = a21 - s42; // a21 - a41 + a43
    let p43 = s43 * t41;
    let q54 = s41.fused::<FMA>(t42, -p43);
    let q55 = q54 - q53;
    let q56 = q36 - q55;
    store(12, q56);
    let s44 = s19 + s13; // a12 + a22 + a32 - a42
    let t43 = t18 + t15; // b12 + b22 + b32 - b42
    let q57 = s44.fused::<FMA>(t43, -q17);
    let q58 = s25.fused::<FMA>(t28, q57);
    let q59 = p22 + q57;
    let q60 = q22 - q59;
    let q61 = q8 - q60;
    store(5, q61);
    let q62 = q58 - q46;
    let q63 = q58 - q47;
    store(7, -q63);
    let s45 = a23 - s43; // -a21 + a23 + a41 - a43
    let t44 = t40 - t31; // b31 - b32 - b33 - b34 - b41 + b42 + b43 + b44
    let t45 = b12 + b32;
    let q64 = (-s34).fused::<FMA>(t45, p36);
    let q65 = q64 - q38;
    store(9, -q65);
    let p47 = s42 * t30;
    let q66 = p43 - p47;
    let q67 = p32 + p47;
    let q68 = q67 + q52;
    store(14, q68);
    let q69 = (-s11).fused::<FMA>(t11, p11);
    let q70 = q45 + q69;
    let q71 = q27 - q70;
    let q72 = q41 + q71;
    store(11, q72);
    let q73 = q18 + q70;
    store(15, -q73);
    let p49 = a23 * t40;
    let q74 = p41 + p49;
    let q75 = q60 - q74;
    store(4, -q75);
    let q76 = s45.fused::<FMA>(t44, -p49);
    let q77 = q76 + q66;
    let q78 = q62 - q77;
    store(6, q78);
}
