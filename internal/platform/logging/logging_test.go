package logging

import "testing"

func TestLevels(t *testing.T) {
	tests := []struct {
		level             string
		debug, info, fail bool
	}{
		{"debug", true, true, true},
		{"info", false, true, true},
		{"error", false, false, true},
		{"disabled", false, false, false},
		{"no such level", false, true, true},
	}
	for _, test := range tests {
		t.Run(test.level, func(t *testing.T) {
			l := New("info")
			l.SetLevel(test.level)
			if got := l.V(1).Enabled(); got != test.debug {
				t.Errorf("debug is %v, want %v", got, test.debug)
			}
			if got := l.V(0).Enabled(); got != test.info {
				t.Errorf("info is %v, want %v", got, test.info)
			}
			if got := l.level.Enabled(2); got != test.fail {
				t.Errorf("error is %v, want %v", got, test.fail)
			}
		})
	}
}
