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

// begin prints what a step does and how long it usually takes.
func (p *progress) begin(s step) {
	p.printf("[%4.0fs] %s: %s (usually %s)", time.Since(p.start).Seconds(), s.name, s.does, s.usual)
}

func (p *progress) printf(format string, args ...any) { fmt.Fprintf(p.out, format+"\n", args...) }
