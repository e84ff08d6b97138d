package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
)

// controlPlane is one variant.
type controlPlane interface {
	// serve serves a listener until ctx ends.
	serve(ctx context.Context, listener net.Listener) error
	// prepare computes a change; its cost is not measured.
	prepare(c mesh.Change) error
	// change applies the prepared change.
	change() error
	// requests returns the number of requests read from sidecars.
	requests() int64
}

// requestLimit limits waiting for the responses of sidecars.
const requestLimit = 5 * time.Minute

// Run reads a Setup and then commands until the input or ctx ends.
func Run(ctx context.Context, in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	p := &process{out: json.NewEncoder(out)}
	var setup Setup
	if err := readLine(lines, &setup); err != nil {
		return fmt.Errorf("the setup cannot be read: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	p.mesh = mesh.NewShare(setup.Mode, setup.Sidecars, setup.Connected)
	if p.plane, err = newControlPlane(setup, p.mesh); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return p.plane.serve(ctx, listener) })
	group.Go(func() error {
		defer stop()
		runtime.GC()
		if err := p.answer(Answer{Address: listener.Addr().String()}); err != nil {
			return err
		}
		return p.runCommands(lines)
	})
	return group.Wait()
}

func newControlPlane(setup Setup, m *mesh.Mesh) (controlPlane, error) {
	authority, err := newAuthority(setup)
	if err != nil {
		return nil, err
	}
	switch setup.Variant {
	case Ours:
		return newOurs(setup, m, authority)
	case Broadcast:
		return newBroadcast(m, authority)
	case CacheByScope, CacheByProxy:
		return newCache(m, authority, setup.Variant == CacheByProxy)
	}
	return nil, fmt.Errorf("there is no control plane %q", setup.Variant)
}

// process is the measured process while it serves.
type process struct {
	mesh  *mesh.Mesh
	plane controlPlane
	out   *json.Encoder
}

// runCommands runs commands until the input ends.
func (p *process) runCommands(lines *bufio.Reader) error {
	for {
		var c Command
		if err := readLine(lines, &c); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		begun := usage()
		err := p.do(c)
		a := usage()
		if c.Task == Go {
			a = begun
		}
		if err != nil {
			a.Error = err.Error()
		}
		if plane, ok := p.plane.(*ours); ok {
			a.Renewed = plane.renewed()
		}
		if err := p.answer(a); err != nil {
			return err
		}
	}
}

func (p *process) answer(a Answer) error {
	if a.At == 0 {
		address := a.Address
		a = usage()
		a.Address = address
	}
	return p.out.Encode(a)
}

func (p *process) do(c Command) error {
	switch c.Task {
	case Prepare:
		return p.plane.prepare(p.mesh.Next(c.Kind))
	case Go:
		return p.plane.change()
	case AwaitRequests:
		return p.awaitRequests(c.Requests)
	case Renew:
		if plane, ok := p.plane.(*ours); ok {
			plane.renew()
			return nil
		}
	case Weigh:
		for range 5 { // each run halves stacks and frees objects released by earlier cleanups
			runtime.GC()
		}
		debug.FreeOSMemory()
		return heap(c.File)
	case Profile:
		return profile(c.File)
	}
	return fmt.Errorf("there is no task %q", c.Task)
}

// awaitRequests waits until a number of requests has been read.
func (p *process) awaitRequests(requests int64) error {
	limit := time.Now().Add(requestLimit)
	for p.plane.requests() < requests {
		if time.Now().After(limit) {
			return fmt.Errorf("%d of %d requests have been read after %s", p.plane.requests(), requests, requestLimit)
		}
		time.Sleep(200 * time.Microsecond)
	}
	return nil
}

// heap writes a heap profile, and the runtime's heap and stack sizes, if a file is given.
func heap(name string) error {
	if name == "" {
		return nil
	}
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer file.Close()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	sizes := fmt.Sprintf("heap in use %d, of it objects %d; stacks %d; runtime's own %d; goroutines %d\n",
		memory.HeapInuse, memory.HeapAlloc, memory.StackInuse, memory.MSpanInuse+memory.MCacheInuse+memory.GCSys+memory.OtherSys,
		runtime.NumGoroutine())
	if err := os.WriteFile(name+".txt", []byte(sizes), 0o644); err != nil {
		return err
	}
	return pprof.Lookup("heap").WriteTo(file, 0)
}

func profile(name string) error {
	if name == "" {
		pprof.StopCPUProfile()
		return nil
	}
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	return pprof.StartCPUProfile(file)
}

func readLine(lines *bufio.Reader, into any) error {
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, into)
}
