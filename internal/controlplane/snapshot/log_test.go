package snapshot

import (
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
)

// logLines are lines of the Store's log.
type logLines []string

// recordLog returns the lines with a text that the Store logs from now on. With an empty text, it returns all lines.
func (h *harness) recordLog(about string) *logLines {
	lines := &logLines{}
	h.store.config.Log = funcr.New(func(_, line string) {
		if strings.Contains(line, about) {
			*lines = append(*lines, line)
		}
	}, funcr.Options{})
	return lines
}

// expect checks that there is a line with each text, and no other one.
func (l *logLines) expect(t *testing.T, when string, texts ...string) {
	t.Helper()
	if len(*l) != len(texts) {
		t.Errorf("%s: the lines %q are logged, want %d with %q", when, *l, len(texts), texts)
		return
	}
	for i, text := range texts {
		if !strings.Contains((*l)[i], text) {
			t.Errorf("%s: the line %q is logged, want %q in it", when, (*l)[i], text)
		}
	}
}
