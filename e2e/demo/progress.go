package main

import (
	"fmt"
	"io"
	"time"
)

// progress prints progress lines with the time since the start.
type progress struct {
	out   io.Writer
	start time.Time
}

func newProgress(out io.Writer) *progress { return &progress{out: out, start: time.Now()} }

func (p *progress) step(format string, args ...any) {
	fmt.Fprintf(p.out, "[%4.0fs] %s\n", time.Since(p.start).Seconds(), fmt.Sprintf(format, args...))
}

func (p *progress) printf(format string, args ...any) { fmt.Fprintf(p.out, format+"\n", args...) }
