package lab

import (
	"fmt"
	"strings"
	"testing"
)

// TestNotableLines keeps the end of a log, and the latest failed requests before it.
func TestNotableLines(t *testing.T) {
	var log []string
	for i := range 12 {
		log = append(log, fmt.Sprintf(`{"path":"/failed-%d","response_code":503}`, i), fmt.Sprintf(`{"path":"/answered-%d","response_code":200}`, i))
	}
	for i := range 15 {
		log = append(log, fmt.Sprint("end ", i))
	}
	got := notable(strings.Join(log, "\n"))
	for text, want := range map[string]int{"failed": 10, "failed-1\"": 0, "failed-2\"": 1, "answered": 0, "end": 15} {
		if n := strings.Count(got, text); n != want {
			t.Errorf("%d lines have %s, want %d", n, text, want)
		}
	}
	if got := notable("only line\n"); got != "only line" {
		t.Errorf("of a log with one line, %q is notable, want that line", got)
	}
}
