! DGEMM_ALPHA and its kin as Fortran calls them, and a program's own XERBLA. Prints "all products are right" at the end.
module errors
  implicit none
  character(len=32) :: routine = ''
  integer :: argument = 0
end module errors

subroutine xerbla(name, info)
  use errors
  implicit none
  character(len=*), intent(in) :: name
  integer, intent(in) :: info
  routine = name
  argument = info
end subroutine xerbla

program products
  use errors
  implicit none
  integer, parameter :: dp = kind(1.0d0)
  character(len=1), parameter :: algorithms(6) = ['F', 'C', 'S', 'W', 'A', 'R']
  external :: dgemm_alpha, sgemm_alpha, dgemm_alphax, sgemm_alphax
  integer :: i

  call double_products(4, 4, 4)
  call double_products(7, 5, 9)
  call single_products(4)
  call dgemm_alpha_with_wrong_ldc()
  do i = 1, size(algorithms)
    call by_algorithm(algorithms(i), 4)
    call by_algorithm(algorithms(i), 11)
  end do
  print '(a)', 'all products are right'

contains

  subroutine require(condition, what)
    logical, intent(in) :: condition
    character(len=*), intent(in) :: what
    if (.not. condition) then
      print '(a)', what
      stop 1
    end if
  end subroutine require

  subroutine double_products(m, n, k)
    integer, intent(in) :: m, n, k
    real(dp) :: a(m, k), b(n, k), c(m, n), before(m, n)
    call random_number(a)
    call random_number(b)
    call random_number(c)
    before = c
    call dgemm_alpha('N', 'Transposed', m, n, k, 2.0_dp, a, m, b, n, 0.5_dp, c, m)
    call require(maxval(abs(c - 2 * matmul(a, transpose(b)) - 0.5_dp * before)) < 4 * k * k * epsilon(1.0_dp), 'dgemm_alpha')
  end subroutine double_products

  subroutine single_products(n)
    integer, intent(in) :: n
    real :: a(n, n), b(n, n), c(n, n), d(n, n)
    call random_number(a)
    call random_number(b)
    call sgemm_alpha('T', 'N', n, n, n, 1.0, a, n, b, n, 0.0, c, n)
    call require(maxval(abs(c - matmul(transpose(a), b))) < n * n * epsilon(1.0), 'sgemm_alpha')
    call sgemm_alphax('A', 'T', 'N', n, n, n, 1.0, a, n, b, n, 0.0, d, n)
    call require(maxval(abs(d - c)) < 2500 * epsilon(1.0), 'sgemm_alphax')
  end subroutine single_products

  subroutine by_algorithm(letter, n)
    character(len=1), intent(in) :: letter
    integer, intent(in) :: n
    real(dp) :: a(n, n), b(n, n), c(n, n)
    call random_number(a)
    call random_number(b)
    call dgemm_alphax(letter, 'N', 'N', n, n, n, 1.0_dp, a, n, b, n, 0.0_dp, c, n)
    call require(maxval(abs(c - matmul(a, b))) < 2500 * n * epsilon(1.0_dp), 'dgemm_alphax '//letter)
  end subroutine by_algorithm

  subroutine dgemm_alpha_with_wrong_ldc()
    real(dp) :: a(4, 4), b(4, 4), c(4, 4)
    a = 1
    b = 1
    c = -1
    call dgemm_alpha('N', 'N', 4, 4, 4, 1.0_dp, a, 4, b, 4, 0.0_dp, c, 3)
    call require(trim(routine) == 'DGEMM_ALPHA' .and. argument == 13, 'xerbla: '//routine)
    call require(all(c == -1), 'c was written')
  end subroutine dgemm_alpha_with_wrong_ldc

end program products
