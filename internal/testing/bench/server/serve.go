package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

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
	p := &process{in: json.NewDecoder(in), out: json.NewEncoder(out)}
	var setup Setup
	if err := p.in.Decode(&setup); err != nil {
		return fmt.Errorf("the setup cannot be read: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	p.mesh = mesh.New(setup.Mode, setup.Sidecars)
	if p.plane, err = newControlPlane(setup, p.mesh); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return p.plane.serve(ctx, listener) })
	group.Go(func() error {
		defer stop()
		runtime.GC()
		ready := usage()
		ready.Address = listener.Addr().String()
		if err := p.out.Encode(ready); err != nil {
			return err
		}
		return p.runCommands()
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
	}
	return nil, fmt.Errorf("there is no control plane %q", setup.Variant)
}

// process is the measured process while it serves.
type process struct {
	mesh  *mesh.Mesh
	plane controlPlane
	in    *json.Decoder
	out   *json.Encoder
}

// runCommands runs commands until the input ends.
func (p *process) runCommands() error {
	for {
		var c Command
		if err := p.in.Decode(&c); errors.Is(err, io.EOF) {
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
			a.Renewed = plane.authority.renewals.count.Load()
		}
		if err := p.out.Encode(a); err != nil {
			return err
		}
	}
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
			plane.authority.SetLifetime(RenewedLifetime) // all certificates are due at once
			return nil
		}
	case Weigh:
		for range 5 { // each run halves stacks and frees objects released by earlier cleanups
			runtime.GC()
		}
		debug.FreeOSMemory()
		return nil
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

// usage returns the resource usage of the process. Unavailable values are 0.
func usage() Answer {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	var used unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &used) // fails for a wrong argument only
	return Answer{
		At: time.Now().UnixNano(), CPU: used.Utime.Nano() + used.Stime.Nano(),
		Mallocs: memory.Mallocs, Memory: memory.Sys - memory.HeapReleased,
	}
}

// Variant selects the measured control plane.
type Variant string

// The control planes.
const (
	// Ours is the snapshot Store behind the xDS server.
	Ours Variant = "ours"
	// Broadcast sends prepared bytes to prepared streams and reads the responses. It is the lower bound of the cost.
	Broadcast Variant = "broadcast"
)

// Setup configures the process before it serves.
type Setup struct {
	Variant Variant
	Mode    mesh.Mode
	// Sidecars is the number of sidecars in the mesh.
	Sidecars int
	// RootCert and RootKey are the authority of the mesh in PEM. They stay the same across restarts.
	RootCert, RootKey []byte
	// Keys is the JSON Web Key Set for tokens; Issuer and Audience are their required claims.
	Keys             []byte
	Issuer, Audience string
}

// ServerName is the DNS name in the process's certificate.
const ServerName = "ads." + mesh.TrustDomain

// RenewedLifetime is the lifetime of certificates after Renew.
const RenewedLifetime = 5 * time.Minute

// Task is the operation of a Command.
type Task string

// The tasks.
const (
	// Prepare computes the next change of a kind for the variants that need it.
	Prepare Task = "prepare"
	// Go applies the prepared change.
	Go Task = "go"
	// Renew makes all certificates due at once. Only this project's control plane renews any.
	Renew Task = "renew"
	// AwaitRequests waits until a number of requests has been read.
	AwaitRequests Task = "await-requests"
	// Weigh collects garbage and returns free memory to the system, to measure the memory in use.
	Weigh Task = "weigh"
)

// Command is a line sent to the process after the Setup.
type Command struct {
	Task     Task
	Kind     mesh.Kind `json:",omitempty"`
	Requests int64     `json:",omitempty"`
}

// Answer is a line sent by the process. The first one, for the Setup, contains the Address.
type Answer struct {
	Error   string `json:",omitempty"`
	Address string `json:",omitempty"`
	// At is the time of the answer or, for Go, the start of the change, in nanoseconds since 1970.
	At int64
	// Renewed is the number of certificates renewed so far.
	Renewed int64 `json:",omitempty"`
	// CPU is the CPU time used so far in nanoseconds, and Mallocs the number of allocations.
	CPU     int64
	Mallocs uint64
	// Memory is the memory that the Go runtime obtained from the system in bytes.
	Memory uint64
}
