package mesh

import "errors"

// failure is an error of a phase.
type failure struct {
	phase phase
	cause error
}

// Error is the sentence of the cause.
func (f *failure) Error() string { return f.cause.Error() }

// Unwrap returns the cause.
func (f *failure) Unwrap() error { return f.cause }

// stalled is an error that trying again cannot cure.
type stalled struct {
	reason, message string
}

// Error is the sentence for the user.
func (s *stalled) Error() string { return s.message }

// isStalled says whether trying again cannot help.
func isStalled(err error) bool {
	var s *stalled
	return errors.As(err, &s)
}
