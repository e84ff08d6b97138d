package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/server"
	"github.com/openservicemesh/osm-operator/internal/testing/procusage"
)

// serveFlag makes this program run as the measured process.
const serveFlag = "-serve"

// TestMain can run the measured process instead of the tests.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args[1:], serveFlag) {
		if err := serve(context.Background(), json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// setup is the first line that the measured process reads.
type setup struct {
	server.Setup
	shape
	// Profile records each allocation, which weigh then needs.
	Profile bool `json:",omitempty"`
}

// task is the operation of a command.
type task string

const (
	// prepare computes the next change of a kind; its cost is not measured.
	prepare task = "prepare"
	// apply applies the prepared change.
	apply task = "apply"
	// renew makes all certificates due at once.
	renew task = "renew"
	// awaitRequests waits until a number of requests has been read.
	awaitRequests task = "await-requests"
	// weigh collects garbage and returns free memory to the system, to measure the memory in use.
	weigh task = "weigh"
)

// command is a line sent to the process after the setup.
type command struct {
	Task     task
	Kind     mesh.Kind `json:",omitempty"`
	Requests int64     `json:",omitempty"`
}

// answer is a line sent by the process. The first one, for the setup, contains the Address.
type answer struct {
	Error   string `json:",omitempty"`
	Address string `json:",omitempty"`
	// At is the time of the answer or, for apply, the start of the change, in nanoseconds since 1970.
	At int64
	// Renewed is the number of certificates renewed so far.
	Renewed int64 `json:",omitempty"`
	// CPU is the CPU time used so far in nanoseconds, and Mallocs the number of allocations.
	CPU     int64
	Mallocs uint64
	// Memory is the memory that the Go runtime obtained from the system in bytes.
	Memory uint64
	// Goroutines, Live and Timers are those of a process that was weighed with setup.Profile: Live are the bytes of reachable objects.
	Goroutines, Live, Timers int64
}

// process is the measured process while it serves.
type process struct {
	mesh     *mesh.Mesh
	plane    *server.ControlPlane
	prepared mesh.Change
}

// serve reads a setup and then commands until the input ends.
func serve(ctx context.Context, in *json.Decoder, out *json.Encoder) error {
	var s setup
	if err := in.Decode(&s); err != nil {
		return fmt.Errorf("the setup cannot be read: %w", err)
	}
	if s.Profile {
		runtime.MemProfileRate = 1
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	p := &process{mesh: mesh.New(s.Mode, s.Sidecars)}
	if p.plane, err = server.New(s.Setup, p.mesh); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return p.plane.Serve(ctx, listener) })
	group.Go(func() error {
		defer stop()
		runtime.GC()
		ready := usage()
		ready.Address = listener.Addr().String()
		if err := out.Encode(ready); err != nil {
			return err
		}
		return p.runCommands(in, out)
	})
	return group.Wait()
}

// runCommands runs commands until the input ends.
func (p *process) runCommands(in *json.Decoder, out *json.Encoder) error {
	for {
		var c command
		if err := in.Decode(&c); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		begun := usage()
		err := p.do(c)
		a := usage()
		if c.Task == apply {
			a = begun
		}
		if err != nil {
			a.Error = err.Error()
		}
		a.Renewed = p.plane.Renewed()
		if c.Task == weigh && runtime.MemProfileRate == 1 {
			a.Goroutines = int64(runtime.NumGoroutine())
			a.Live, a.Timers = reachable()
		}
		if err := out.Encode(a); err != nil {
			return err
		}
	}
}

func (p *process) do(c command) error {
	switch c.Task {
	case prepare:
		p.prepared = p.mesh.Next(c.Kind)
	case apply:
		p.plane.Store.Apply(p.prepared.Changes)
	case awaitRequests:
		return p.awaitRequests(c.Requests)
	case renew:
		p.plane.Renew()
	case weigh:
		for range 5 { // each run halves stacks and frees objects released by earlier cleanups
			runtime.GC()
		}
		debug.FreeOSMemory()
	}
	return nil
}

// awaitRequests waits until a number of requests has been read.
func (p *process) awaitRequests(requests int64) error {
	const most = 5 * time.Minute
	limit := time.Now().Add(most)
	for p.plane.Requests() < requests {
		if time.Now().After(limit) {
			return fmt.Errorf("%d of %d requests have been read after %s", p.plane.Requests(), requests, most)
		}
		time.Sleep(200 * time.Microsecond)
	}
	return nil
}

// usage returns the resource usage of the process. Unavailable values are 0.
func usage() answer {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	var used unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &used) // fails for a wrong argument only
	return answer{
		At: time.Now().UnixNano(), CPU: used.Utime.Nano() + used.Stime.Nano(),
		Mallocs: memory.Mallocs, Memory: memory.Sys - memory.HeapReleased,
	}
}

// child is the measured process, as the benchmark sees it.
type child struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     *json.Decoder
	address string
}

// startChild starts the measured process and waits until it serves.
func startChild(t testing.TB, s setup) *child {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{command: exec.Command(program, serveFlag)}
	c.command.Stderr = os.Stderr
	if c.in, err = c.command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.out = json.NewDecoder(out)
	if err := procusage.StartOn(c.command, procusage.ServerCore); err != nil {
		t.Fatal(err)
	}
	c.address = c.do(t, s).Address
	return c
}

// do sends a command or the setup, and waits for the answer.
func (c *child) do(t testing.TB, message any) answer {
	t.Helper()
	var a answer
	if err := json.NewEncoder(c.in).Encode(message); err != nil {
		t.Fatalf("the measured process cannot be reached: %v", err)
	}
	if err := c.out.Decode(&a); err != nil {
		t.Fatalf("the measured process has exited: %v", err)
	}
	if a.Error != "" {
		t.Fatal(a.Error)
	}
	return a
}

// end stops the process and waits for it.
func (c *child) end(t testing.TB) {
	t.Helper()
	_ = c.in.Close()
	if err := c.command.Wait(); err != nil {
		t.Errorf("the measured process failed: %v", err)
	}
}
