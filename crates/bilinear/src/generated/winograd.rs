//! C = A B, 4 x 4 times 4 x 4, by the scheme `winograd`: 49 products, 159 additions (42 of elements of A, 42 of B, 75
//! of products); right up to 2551 (eps / 2) max|A| max|B| to first order. Made by the generator of crates/bilinear from
//! its table of the scheme.
//! Scheme: S. Winograd, in: R. L. Probert, On the additive complexity of matrix multiplication, SIAM Journal on
//! Computing 5 (1976)
//! Licence of the source: none needed.

use crate::real::Real;

#[inline(always)]
pub(crate) fn winograd<T: Real, const FMA: bool>(a: &[T; 16], b: &[T; 16], mut store: impl FnMut(usize, T)) {
    let [a11, a12, a13, a14, a21, a22, a23, a24, a31, a32, a33, a34, a41, a42, a43, a44] = *a;
    let [b11, b12, b13, b14, b21, b22, b23, b24, b31, b32, b33, b34, b41, b42, b43, b44] = *b;
    let p1 = a11 * b11;
    let p2 = a12 * b21;
    let s1 = a21 + a22;
    let s2 = a11 - s1; // a11 - a21 - a22
    let t1 = b11 - b12;
    let t2 = b22 + t1; // b11 - b12 + b22
    let p3 = s2 * t2;
    let p4 = s1 * t1;
    let s3 = a12 + s2; // a11 + a12 - a21 - a22
    let p5 = s3 * b22;
    let t3 = b21 - t2; // -b11 + b12 + b21 - b22
    let p6 = a22 * t3;
    let s4 = a11 - a21;
    let t4 = b12 - b22;
    let p7 = s4 * t4;
    let q1 = a13.fused::<FMA>(b31, p1);
    let q2 = a14.fused::<FMA>(b41, p2);
    let q3 = q1 + q2;
    store(0, q3);
    let s5 = a13 - a23;
    let s6 = a24 - s5; // -a13 + a23 + a24
    let t5 = b31 - b32;
    let t6 = b42 + t5; // b31 - b32 + b42
    let q4 = (-s6).fused::<FMA>(t6, p3);
    let q5 = q1 - q4;
    let s7 = a23 + a24;
    let q6 = s7.fused::<FMA>(t5, -q5);
    let q7 = p4 + q6;
    let s8 = a14 - s6; // a13 + a14 - a23 - a24
    let q8 = s8.fused::<FMA>(b42, p5);
    let q9 = q7 - q8;
    store(1, -q9);
    let t7 = b41 - t6; // -b31 + b32 + b41 - b42
    let q10 = a24.fused::<FMA>(t7, p6);
    let t8 = b32 - b42;
    let q11 = s5.fused::<FMA>(t8, p7);
    let q12 = q5 - q11;
    let q13 = q10 + q12;
    store(4, q13);
    let q14 = q11 + q7;
    store(5, -q14);
    let s9 = a31 + a33;
    let s10 = a11 - s9; // a11 - a31 - a33
    let t9 = b11 - b13;
    let t10 = b33 + t9; // b11 - b13 + b33
    let q15 = (-s10).fused::<FMA>(t10, p1);
    let q16 = p3 - q15;
    let q17 = p2 + q15;
    let s11 = a32 + a34;
    let s12 = a12 - s11; // a12 - a32 - a34
    let t11 = b23 - b43;
    let t12 = b21 - t11; // b21 - b23 + b43
    let q18 = s12.fused::<FMA>(t12, -q17);
    let s13 = a33 - a43;
    let s14 = a44 - s13; // -a33 + a43 + a44
    let s15 = a22 - a42;
    let s16 = a31 - a41;
    let s17 = s16 - s4; // -a11 + a21 + a31 - a41
    let s18 = s15 + s17; // -a11 + a21 + a22 + a31 - a41 - a42
    let s19 = s14 - s18; // a11 - a21 - a22 - a31 - a33 + a41 + a42 + a43 + a44
    let t13 = b34 - b44;
    let t14 = b33 - t13; // b33 - b34 + b44
    let t15 = b14 - b24;
    let t16 = t4 - t15; // b12 - b14 - b22 + b24
    let t17 = t9 - t16; // b11 - b12 - b13 + b14 + b22 - b24
    let t18 = t14 + t17; // b11 - b12 - b13 + b14 + b22 - b24 + b33 - b34 + b44
    let q19 = s19.fused::<FMA>(t18, -q16);
    let s20 = a43 + a44;
    let s21 = a41 + a42;
    let s22 = s20 + s21; // a41 + a42 + a43 + a44
    let s23 = s1 - s22; // a21 + a22 - a41 - a42 - a43 - a44
    let t19 = b13 - b14;
    let t20 = b33 - b34;
    let t21 = t19 - t20; // b13 - b14 - b33 + b34
    let t22 = t1 - t21; // b11 - b12 - b13 + b14 + b33 - b34
    let q20 = (-s23).fused::<FMA>(t22, p4);
    let s24 = s12 + s19; // a11 + a12 - a21 - a22 - a31 - a32 - a33 - a34 + a41 + a42 + a43 + a44
    let t23 = b24 - b44;
    let t24 = b22 - t23; // b22 - b24 + b44
    let q21 = (-s24).fused::<FMA>(t24, p5);
    let q22 = q19 + q21;
    let s25 = a44 - s15; // -a22 + a42 + a44
    let t25 = t12 - t18; // -b11 + b12 + b13 - b14 + b21 - b22 - b23 + b24 - b33 + b34 + b43 - b44
    let q23 = s25.fused::<FMA>(t25, p6);
    let s26 = s16 + s13; // a31 + a33 - a41 - a43
    let s27 = s4 - s26; // a11 - a21 - a31 - a33 + a41 + a43
    let t26 = t13 + t16; // b12 - b14 - b22 + b24 + b34 - b44
    let q24 = s27.fused::<FMA>(t26, q19);
    let q25 = p7 - q24;
    let p22 = s9 * t9;
    let t27 = b21 - b23;
    let q26 = s11.fused::<FMA>(t27, p22);
    let q27 = q18 + q26;
    let s28 = a42 + a44;
    let s29 = s28 - s26; // -a31 - a33 + a41 + a42 + a43 + a44
    let q28 = s29.fused::<FMA>(t17, p22);
    let t28 = t19 - t1; // -b11 + b12 + b13 - b14
    let q29 = s22.fused::<FMA>(t28, q20);
    let q30 = q28 + q29;
    let s30 = s11 - s29; // a31 + a32 + a33 + a34 - a41 - a42 - a43 - a44
    let t29 = b22 - b24;
    let p26 = s30 * t29;
    let t30 = t27 - t17; // -b11 + b12 + b13 - b14 + b21 - b22 - b23 + b24
    let q31 = s28.fused::<FMA>(t30, q28);
    let p28 = s26 * t16;
    let q32 = p28 - q25;
    let s31 = a13 + s10; // a11 + a13 - a31 - a33
    let p29 = s31 * b33;
    let s32 = a14 + s12; // a12 + a14 - a32 - a34
    let q33 = s32.fused::<FMA>(b43, p29);
    let q34 = q33 - q27;
    store(2, q34);
    let s33 = s6 - s19; // -a11 - a13 + a21 + a22 + a23 + a24 + a31 + a33 - a41 - a42 - a43 - a44
    let q35 = s33.fused::<FMA>(t14, p29);
    let q36 = q35 + q32;
    let q37 = q35 + q22;
    let s34 = s7 + s23; // a21 + a22 + a23 + a24 - a41 - a42 - a43 - a44
    let q38 = s34.fused::<FMA>(t20, q30);
    let s35 = s32 - s33;
    let q39 = (-s35).fused::<FMA>(b44, p26);
    let q40 = q39 - q37;
    let q41 = q38 + q40;
    store(3, -q41);
    let s36 = a24 - s25; // a22 + a24 - a42 - a44
    let t31 = b43 - t14; // -b33 + b34 + b43 - b44
    let q42 = s36.fused::<FMA>(t31, q23);
    let s37 = s5 + s27; // a11 + a13 - a21 - a23 - a31 - a33 + a41 + a43
    let q43 = s37.fused::<FMA>(t13, -q36);
    let q44 = q43 + q31;
    let q45 = q42 - q44;
    store(6, q45);
    let q46 = q38 + q43;
    store(7, -q46);
    let t32 = b31 - t10; // -b11 + b13 + b31 - b33
    let p36 = a33 * t32;
    let t33 = b41 - t12; // -b21 + b23 + b41 - b43
    let q47 = a34.fused::<FMA>(t33, p36);
    let t34 = t6 - t18; // -b11 + b12 + b13 - b14 - b22 + b24 + b31 - b32 - b33 + b34 + b42 - b44
    let q48 = s14.fused::<FMA>(t34, p36);
    let t35 = t5 - t22; // -b11 + b12 + b13 - b14 + b31 - b32 - b33 + b34
    let s38 = a34 - s14; // a33 + a34 - a43 - a44
    let t36 = b42 - t24; // -b22 + b24 + b42 - b44
    let t37 = t33 - t34;
    let q49 = a44.fused::<FMA>(t37, q48);
    let t38 = t8 - t26; // -b12 + b14 + b22 - b24 + b32 - b34 - b42 + b44
    let s39 = a11 - a31;
    let t39 = b13 - b33;
    let p43 = s39 * t39;
    let q50 = p43 + q18;
    let s40 = a12 - a32;
    let q51 = s40.fused::<FMA>(t11, q50);
    let q52 = q51 - q47;
    store(8, -q52);
    let q53 = q26 + q51;
    store(10, -q53);
    let t40 = t23 + t21; // b13 - b14 + b24 - b33 + b34 - b44
    let q54 = s18.fused::<FMA>(t40, p43);
    let q55 = q54 - q23;
    let s41 = s1 - s21; // a21 + a22 - a41 - a42
    let q56 = s41.fused::<FMA>(t21, -q54);
    let q57 = s20.fused::<FMA>(t35, -q56);
    let q58 = q20 + q57;
    let q59 = q48 - q58;
    let q60 = q56 - q30;
    let q61 = s38.fused::<FMA>(t36, q59);
    let s42 = s40 - s18; // a11 + a12 - a21 - a22 - a31 - a32 + a41 + a42
    let q62 = s42.fused::<FMA>(t23, -q22);
    let q63 = q62 - q61;
    store(9, -q63);
    let q64 = p26 + q62;
    let q65 = q60 - q64;
    store(11, q65);
    let t41 = t11 - t40; // -b13 + b14 + b23 - b24 + b33 - b34 - b43 + b44
    let q66 = s15.fused::<FMA>(t41, q55);
    let t42 = t15 - t13; // b14 - b24 - b34 + b44
    let q67 = s17.fused::<FMA>(t42, q25);
    let q68 = p28 - q67;
    let q69 = s13.fused::<FMA>(t38, q67);
    let q70 = q69 + q66;
    let q71 = q49 - q70;
    store(12, q71);
    let q72 = q59 - q69;
    store(13, q72);
    let q73 = q68 - q31;
    let q74 = q66 - q73;
    store(14, -q74);
    let q75 = q68 + q60;
    store(15, q75);
}
