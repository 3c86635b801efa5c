"""Operations that are short compositions of native ones; one file a theme, each with its mathematics and its source."""
