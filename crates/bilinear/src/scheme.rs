//! Bilinear schemes: what one is, its written form, and the exact proof that it multiplies matrices.
//!
//! A scheme of rank R for the product of an m x n and an n x k matrix is three lists of R linear forms,
//!
//! ```text
//!     p_r = (sum_x u_r(x) a_x) (sum_y v_r(y) b_y),      c_z = sum_r w_r(z) p_r,
//! ```
//!
//! where x, y and z count the elements of A, B and C = A B row by row. It computes the product for all matrices over a ring,
//! entries that do not commute included, exactly when the tensors agree (R. P. Brent, 1970):
//!
//! ```text
//!     sum_r u_r(i,j) v_r(j',l) w_r(i',l') = 1 if i = i', j = j', l = l', else 0,      for all m n * n k * m k entries.
//! ```

use crate::dyadic::Dyadic;

/// A linear form: indices and coefficients that are not 0, by index.
pub type Form = Vec<(usize, Dyadic)>;

/// Where a scheme's equations hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ring {
    /// Over the integers, so over every ring.
    Integers,
    /// Over every ring in which 2 has an inverse.
    Halves,
    /// Where 1 + 1 = 0.
    Modulo2,
}

/// A bilinear scheme for the product of an m x n and an n x k matrix; the module's text has the equations.
#[derive(Clone, Debug, PartialEq)]
pub struct Scheme {
    /// Rows of A and C.
    pub m: usize,
    /// Columns of A, rows of B.
    pub n: usize,
    /// Columns of B and C.
    pub k: usize,
    /// Where it holds.
    pub ring: Ring,
    /// For each product its form of the elements of A.
    pub u: Vec<Form>,
    /// For each product its form of the elements of B.
    pub v: Vec<Form>,
    /// For each product the elements of C that it is added to, with what factor.
    pub w: Vec<Form>,
    /// A word: the name as users give it.
    pub name: String,
    /// Who found it, and where it is published.
    pub source: String,
    /// Under which terms the source is given.
    pub licence: String,
}

/// An entry of the tensor at which a scheme is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Indices of the elements of A, B and C.
    pub entry: [usize; 3],
    /// What the scheme has there; multiplication has 0 or 1.
    pub found: Dyadic,
}

impl Scheme {
    /// The number of products.
    pub fn rank(&self) -> usize {
        self.u.len()
    }

    /// The first entry at which the scheme's tensor is not that of multiplication; `None` if it is right. Exact.
    pub fn mismatch(&self) -> Option<Mismatch> {
        let [m, n, k] = [self.m, self.n, self.k];
        for x in 0..m * n {
            for y in 0..n * k {
                for z in 0..m * k {
                    let found = self.tensor(x, y, z);
                    let wanted = x / n == z / k && x % n == y / k && y % k == z % k;
                    let right = match self.ring {
                        Ring::Modulo2 => found.modulo_2() == Some(wanted),
                        _ => found == Dyadic::from(i64::from(wanted)),
                    };
                    if !right {
                        return Some(Mismatch { entry: [x, y, z], found });
                    }
                }
            }
        }
        None
    }

    /// `sum_r u_r(x) v_r(y) w_r(z)`.
    pub fn tensor(&self, x: usize, y: usize, z: usize) -> Dyadic {
        let at = |form: &Form, index| form.iter().find(|term| term.0 == index).map_or(Dyadic::ZERO, |term| term.1);
        let products = self.u.iter().zip(&self.v).zip(&self.w);
        products.map(|((u, v), w)| at(u, x) * at(v, y) * at(w, z)).fold(Dyadic::ZERO, |sum, term| sum + term)
    }

    /// One scheme within another: the entries of `self`'s matrices are matrices that `inner` multiplies. Rank and extents are
    /// the products of the two.
    #[must_use]
    pub fn of_blocks(&self, inner: &Self) -> Self {
        let join = |outer: &[Form], inside: &[Form], cols: usize, inner_rows: usize, inner_cols: usize| {
            let place = |outer: usize, inside: usize| {
                let row = outer / cols * inner_rows + inside / inner_cols;
                row * cols * inner_cols + outer % cols * inner_cols + inside % inner_cols
            };
            let mut forms = Vec::with_capacity(outer.len() * inside.len());
            for one in outer {
                for other in inside {
                    let terms = one.iter().flat_map(|&(i, p)| other.iter().map(move |&(j, q)| (place(i, j), p * q)));
                    let mut form: Form = terms.collect();
                    form.sort_unstable();
                    forms.push(form);
                }
            }
            forms
        };
        Self {
            m: self.m * inner.m,
            n: self.n * inner.n,
            k: self.k * inner.k,
            ring: if self.ring == inner.ring { self.ring } else { Ring::Halves },
            u: join(&self.u, &inner.u, self.n, inner.m, inner.n),
            v: join(&self.v, &inner.v, self.k, inner.n, inner.k),
            w: join(&self.w, &inner.w, self.k, inner.m, inner.k),
            name: self.name.clone(),
            source: self.source.clone(),
            licence: self.licence.clone(),
        }
    }

    /// Reads the written form: lines of `key value` for `name`, `shape`, `ring`, `source` and `licence`; then a line for each
    /// product, `form of A | form of B | form of C`. A form is a sum such as `a11 - 1/2 a23`, elements counted from 1, or a
    /// factor in front of one in brackets, `1/4 (c11 + c12)`. `#` begins a comment.
    ///
    /// # Errors
    /// The line that cannot be read.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut scheme = Self {
            m: 0,
            n: 0,
            k: 0,
            ring: Ring::Integers,
            u: Vec::new(),
            v: Vec::new(),
            w: Vec::new(),
            name: String::new(),
            source: String::new(),
            licence: String::new(),
        };
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
            scheme.read(line).ok_or_else(|| format!("not a line of a scheme: {line}"))?;
        }
        Ok(scheme)
    }

    fn read(&mut self, line: &str) -> Option<()> {
        if let [a, b, c] = line.split('|').collect::<Vec<_>>()[..] {
            self.u.push(read_form(a, 'a', self.m, self.n)?);
            self.v.push(read_form(b, 'b', self.n, self.k)?);
            self.w.push(read_form(c, 'c', self.m, self.k)?);
            return Some(());
        }
        let (key, value) = line.split_once(' ')?;
        let value = value.trim();
        match key {
            "name" => self.name = value.to_string(),
            "source" => self.source = value.to_string(),
            "licence" => self.licence = value.to_string(),
            "shape" => {
                let extents: Vec<usize> = value.split(' ').map_while(|extent| extent.parse().ok()).collect();
                [self.m, self.n, self.k] = extents.try_into().ok()?;
            }
            "ring" => {
                self.ring = match value {
                    "integers" => Ring::Integers,
                    "halves" => Ring::Halves,
                    "modulo 2" => Ring::Modulo2,
                    _ => return None,
                }
            }
            _ => return None,
        }
        Some(())
    }
}

fn read_form(text: &str, letter: char, rows: usize, cols: usize) -> Option<Form> {
    let text = text.trim();
    let (common, sum) = match text.split_once('(') {
        Some((factor, sum)) => (read_factor(factor)?, sum.strip_suffix(')')?),
        None => (Dyadic::ONE, text),
    };
    let mut form = Form::new();
    let mut factor = Dyadic::ONE;
    for word in sum.split(' ') {
        match word.trim_start_matches('-').strip_prefix(letter) {
            None => factor = read_factor(word)? * if factor.is_negative() { -Dyadic::ONE } else { Dyadic::ONE },
            Some(digits) => {
                let mut digits = digits.chars().map_while(|digit| digit.to_digit(10).map(|digit| digit as usize));
                let (row, col) = (digits.next()?, digits.next()?);
                if !(1..=rows).contains(&row) || !(1..=cols).contains(&col) {
                    return None;
                }
                let sign = if word.starts_with('-') { -Dyadic::ONE } else { Dyadic::ONE };
                form.push(((row - 1) * cols + col - 1, common * factor * sign));
                factor = Dyadic::ONE;
            }
        }
    }
    form.sort_unstable();
    let distinct = form.windows(2).all(|pair| pair[0].0 != pair[1].0);
    (distinct && !form.is_empty()).then_some(form)
}

/// `+`, `-`, `1/4`, `-2` or nothing.
fn read_factor(text: &str) -> Option<Dyadic> {
    match text.trim() {
        "+" | "" => Some(Dyadic::ONE),
        "-" => Some(-Dyadic::ONE),
        text => match text.strip_prefix('-') {
            Some(text) => Dyadic::parse(text).map(|value| -value),
            None => Dyadic::parse(text),
        },
    }
}
