package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// runner runs tests with one mutant at a time.
type runner struct {
	programs []program
	// limit bounds the tests of a package with a mutant.
	limit time.Duration
}

// newRunner runs the tests without a mutant. They must pass, and their duration limits that of the tests with one.
func newRunner(ctx context.Context, programs []program) (runner, error) {
	r := runner{programs: programs, limit: time.Hour}
	begin := time.Now()
	output, ok := r.passes(ctx, 0)
	if !ok {
		return r, fmt.Errorf("the tests fail without a change:\n%s", output)
	}
	const startup = 20 * time.Second
	r.limit = 10*time.Since(begin) + startup
	return r, ctx.Err()
}

// passes reports whether all tests pass with a mutant.
func (r runner) passes(ctx context.Context, id int) (output string, ok bool) {
	for _, p := range r.programs {
		args := []string{"-test.short", "-test.failfast", "-test.timeout=" + r.limit.String(), "-test.run=" + p.pattern}
		if p.random {
			// The same values for each mutant, and no search for the smallest ones that fail.
			args = append(args, "-rapid.seed=1", "-rapid.checks=300", "-rapid.nofailfile", "-rapid.shrinktime=1ms")
		}
		cmd := exec.CommandContext(ctx, p.binary, args...)
		cmd.Dir = p.folder
		cmd.Env = append(os.Environ(), fmt.Sprintf("MUTANT=%d", id))
		if out, err := cmd.CombinedOutput(); err != nil {
			return string(out), false
		}
	}
	return "", true
}
