package telemetry

import (
	"strings"
	"testing"
)

// TestLogFits checks what counts in the size of an access log.
func TestLogFits(t *testing.T) {
	log := &AccessLog{Text: "12345", Fields: map[string]string{"a": "123"}, Export: &Export{Attributes: map[string]string{"bc": "1234567"}}}
	if got := log.bytes(); got != 18 {
		t.Errorf("%d bytes, want 18", got)
	}
	half := &AccessLog{Text: strings.Repeat("x", MaxLogBytes/2)}
	if !half.Fits(2) || half.Fits(3) {
		t.Errorf("a log of half the size fits twice is %t, and three times is %t", half.Fits(2), half.Fits(3))
	}
}
