! What INFO means, told to a program in Fortran. Prints "all explanations are right" at the end.
program explain
  implicit none
  character(len=120) :: text
  external :: lapack_ai_explain

  call lapack_ai_explain('DGESVX', 4, -1, 4, text)
  call require(text == 'LAP-E010: dgesvx: singular: pivot 4, counted from 1, is exactly 0.', text)
  call lapack_ai_explain('dposv ', 2, -1, 4, text)
  call require(text == 'LAP-E011: dposv: not positive definite: the leading block of order 2 shows it.', text)
  call lapack_ai_explain('LAP-E012', 0, -1, -1, text)
  call require(text == 'LAP-E012: the singular values did not converge.', text)
  call lapack_ai_explain('DGESVQ', 1, -1, -1, text)
  call require(text == ' ', text)
  print '(a)', 'all explanations are right'

contains

  subroutine require(right, what)
    logical, intent(in) :: right
    character(len=*), intent(in) :: what
    if (.not. right) then
      print '(a)', what
      stop 1
    end if
  end subroutine require

end program explain
