package nstest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// Namespace is a network namespace, bound to one thread, that is removed when the test ends.
type Namespace struct {
	tid   int
	calls chan func()
	// ended is closed when the test ends.
	ended chan struct{}
}

// New creates a namespace with its loopback interface up.
func New(t testing.TB) *Namespace {
	t.Helper()
	ns := start(t, func() error { return unix.Unshare(unix.CLONE_NEWNET) })
	var err error
	// Duplicate address detection would make each new IPv6 address unusable for one to two seconds.
	ns.Do(func() { err = os.WriteFile("/proc/sys/net/ipv6/conf/default/accept_dad", []byte("0"), 0) })
	if err != nil {
		t.Fatal(err)
	}
	ns.IP(t, "link set lo up")
	return ns
}

// Enter returns another thread in the same namespace, for concurrent calls.
func Enter(t testing.TB, ns *Namespace) *Namespace {
	t.Helper()
	return start(t, func() error {
		file, err := os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", ns.tid))
		if err != nil {
			return err
		}
		defer file.Close()
		return unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
	})
}

// start creates a thread that moves to a namespace and runs calls there.
func start(t testing.TB, move func() error) *Namespace {
	t.Helper()
	ns := &Namespace{calls: make(chan func()), ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The thread is never unlocked. Go ends it with the goroutine, and the kernel removes the namespace with it.
		runtime.LockOSThread()
		err := move()
		ns.tid = unix.Gettid()
		started <- err
		if err != nil {
			return
		}
		for {
			select {
			case call := <-ns.calls:
				call()
			case <-ns.ended:
				return
			}
		}
	}()
	if err := <-started; err != nil {
		t.Fatalf("a network namespace cannot be created: %v; run this test as root", err)
	}
	t.Cleanup(func() { close(ns.ended) })
	return ns
}

// Do runs a function inside the namespace. Sockets and programs that it starts stay in the namespace, but goroutines
// run outside. After the end of the test it returns false and does nothing: HTTP clients connect in the background.
func (ns *Namespace) Do(f func()) bool {
	done := make(chan struct{})
	call := func() {
		defer close(done)
		f()
	}
	select {
	case ns.calls <- call:
		<-done
		return true
	case <-ns.ended:
		return false
	}
}

// IP runs the ip program with space-separated arguments.
func (ns *Namespace) IP(t testing.TB, args string) {
	t.Helper()
	if out, err := ns.Output(exec.Command("ip", strings.Fields(args)...)); err != nil {
		t.Fatalf("ip %s: %v\n%s", args, err, out)
	}
}

// Output runs a program and returns its combined output.
func (ns *Namespace) Output(cmd *exec.Cmd) (out []byte, err error) {
	ns.Do(func() { out, err = cmd.CombinedOutput() })
	return out, err
}

// Start starts a program that is killed when the test ends.
func (ns *Namespace) Start(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	var err error
	ns.Do(func() { err = cmd.Start() })
	if err != nil {
		t.Fatalf("%s cannot be started: %v", cmd.Path, err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

// Connect joins two namespaces with a veth pair. Both ends get the given name and their addresses with prefix lengths.
func Connect(t testing.TB, device string, a *Namespace, addressesA []string, b *Namespace, addressesB []string) {
	t.Helper()
	a.IP(t, fmt.Sprintf("link add %s type veth peer name %s netns %d", device, device, b.tid))
	for _, end := range []struct {
		ns        *Namespace
		addresses []string
	}{{a, addressesA}, {b, addressesB}} {
		for _, address := range end.addresses {
			end.ns.IP(t, "address add "+address+" dev "+device)
		}
		end.ns.IP(t, "link set "+device+" up")
	}
	for _, ns := range []*Namespace{a, b} {
		// The kernel detects the carrier some time after both ends are up, and uses IPv6 addresses only after that.
		eventually.True(t, 5*time.Second, device+" is up with all its addresses", func() bool {
			out, err := ns.Output(exec.Command("ip", "address", "show", "dev", device))
			return err == nil && strings.Contains(string(out), "state UP") && !strings.Contains(string(out), "tentative")
		})
	}
}

// Listen opens a TCP listener that is closed when the test ends.
func (ns *Namespace) Listen(t testing.TB, address string) net.Listener {
	t.Helper()
	var listener net.Listener
	var err error
	ns.Do(func() { listener, err = net.Listen("tcp", address) })
	if err != nil {
		t.Fatalf("listen on %s: %v", address, err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

// dialTimeout limits how long a connection may take.
const dialTimeout = 2 * time.Second

// Dial connects to an IP address and port from inside the namespace.
func (ns *Namespace) Dial(_ context.Context, _, address string) (conn net.Conn, err error) {
	if !ns.Do(func() { conn, err = net.DialTimeout("tcp", address, dialTimeout) }) {
		return nil, net.ErrClosed
	}
	return conn, err
}

// DialFrom connects from one of the addresses of the namespace.
func (ns *Namespace) DialFrom(from netip.Addr, address string) (conn net.Conn, err error) {
	dialer := net.Dialer{Timeout: dialTimeout, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}
	if !ns.Do(func() { conn, err = dialer.Dial("tcp", address) }) {
		return nil, net.ErrClosed
	}
	return conn, err
}

// DialAs is Dial with a socket of the given user.
func (ns *Namespace) DialAs(uid int, address string) (conn net.Conn, err error) {
	inside := ns.Do(func() {
		// The kernel takes the owner of a socket from the file system user of the calling thread.
		_, _, _ = unix.RawSyscall(unix.SYS_SETFSUID, uintptr(uid), 0, 0)
		defer func() { _, _, _ = unix.RawSyscall(unix.SYS_SETFSUID, 0, 0, 0) }()
		conn, err = net.DialTimeout("tcp", address, dialTimeout)
	})
	if !inside {
		return nil, net.ErrClosed
	}
	return conn, err
}

// HTTP returns a client that connects from inside the namespace, without keep-alive.
func (ns *Namespace) HTTP() *http.Client {
	return &http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{DialContext: ns.Dial, DisableKeepAlives: true},
	}
}

// Address joins a host and a port, with brackets around IPv6 addresses.
func Address(host string, port uint16) string { return net.JoinHostPort(host, strconv.Itoa(int(port))) }
