package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestEachStepHasItsNumberAndUsualTime(t *testing.T) {
	for name, steps := range map[string][]step{
		"local cluster":          stepsOf(false, options{}),
		"local cluster observed": stepsOf(false, options{observed: true}),
		"current cluster":        stepsOf(true, options{}),
	} {
		for i, s := range steps {
			var out strings.Builder
			p := newProgress(&out)
			p.steps = steps
			p.begin(s)
			want := fmt.Sprintf("[   0s] step %d of %d, %s: %s (usually %s)\n", i+1, len(steps), s.name, s.does, s.usual)
			if out.String() != want || s.name == "" || s.does == "" || s.usual == "" {
				t.Errorf("%s: %q, want %q", name, out.String(), want)
			}
		}
	}
}
