! DGESVDOCL and SGESVDOCL as Fortran calls them. Prints "all decompositions are right" at the end.
program decompositions
  implicit none
  integer, parameter :: dp = kind(1.0d0)
  external :: dgesvdocl, sgesvdocl

  call double_precision_one(7, 5)
  call double_precision_one(50, 60)
  call single_precision_one(64)
  print '(a)', 'all decompositions are right'

contains

  subroutine require(condition, what)
    logical, intent(in) :: condition
    character(len=*), intent(in) :: what
    if (.not. condition) then
      print '(a)', what
      stop 1
    end if
  end subroutine require

  subroutine double_precision_one(m, n)
    integer, intent(in) :: m, n
    real(dp) :: a(m, n), before(m, n), u(m, min(m, n)), vt(min(m, n), n), s(min(m, n)), length(1)
    real(dp), allocatable :: work(:)
    integer :: info, i
    call random_number(a)
    before = a
    call dgesvdocl('S', 'Some', m, n, a, m, s, u, m, vt, min(m, n), length, -1, info)
    call require(info == 0, 'dgesvdocl: query')
    allocate (work(int(length(1))))
    call dgesvdocl('S', 'Some', m, n, a, m, s, u, m, vt, min(m, n), work, size(work), info)
    call require(info == 0, 'dgesvdocl: info')
    do i = 1, min(m, n)
      u(:, i) = u(:, i) * s(i)
    end do
    call require(maxval(abs(matmul(u, vt) - before)) < 30 * max(m, n) * epsilon(1.0_dp) * s(1), 'dgesvdocl')
  end subroutine double_precision_one

  subroutine single_precision_one(n)
    integer, intent(in) :: n
    real :: a(n, n), before(n, n), u(n, n), unused(1, 1), s(n), gram(n, n), work(10 * n)
    integer :: info, i
    call random_number(a)
    before = a
    call sgesvdocl('O', 'N', n, n, a, n, s, unused, 1, unused, 1, work, size(work), info)
    call require(info == 0, 'sgesvdocl: info')
    u = a
    gram = matmul(transpose(u), u)
    do i = 1, n
      gram(i, i) = gram(i, i) - 1
    end do
    call require(maxval(abs(gram)) < 30 * n * epsilon(1.0), 'sgesvdocl: u')
    call require(abs(sum(s**2) - sum(before**2)) < 30 * n * epsilon(1.0) * sum(s**2), 'sgesvdocl: s')
  end subroutine single_precision_one

end program decompositions
