package nstest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Namespace is a network namespace that lives on one thread and ends with the test.
type Namespace struct {
	tid   int
	calls chan func()
}

// New makes a namespace with its loopback device up.
func New(t *testing.T) *Namespace {
	t.Helper()
	ns := start(t, func() error { return unix.Unshare(unix.CLONE_NEWNET) })
	var err error
	// Duplicate address detection would keep every new IPv6 address unusable for a second or two.
	ns.Do(func() { err = os.WriteFile("/proc/sys/net/ipv6/conf/default/accept_dad", []byte("0"), 0) })
	if err != nil {
		t.Fatal(err)
	}
	ns.IP(t, "link set lo up")
	return ns
}

// Enter is another thread in the same namespace, for what happens at the same time.
func Enter(t *testing.T, ns *Namespace) *Namespace {
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

// start makes a thread that moves to a namespace and waits for calls there.
func start(t *testing.T, move func() error) *Namespace {
	t.Helper()
	ns := &Namespace{calls: make(chan func())}
	started := make(chan error)
	go func() {
		// The thread is never unlocked: Go throws it away with the goroutine, and the namespace goes with it.
		runtime.LockOSThread()
		err := move()
		ns.tid = unix.Gettid()
		started <- err
		if err != nil {
			return
		}
		for call := range ns.calls {
			call()
		}
	}()
	if err := <-started; err != nil {
		t.Fatalf("a network namespace cannot be made: %v; run this test as root", err)
	}
	t.Cleanup(func() { close(ns.calls) })
	return ns
}

// Do runs a function inside the namespace. Sockets it opens and programs it starts stay in the namespace; goroutines
// it starts run outside.
func (ns *Namespace) Do(f func()) {
	done := make(chan struct{})
	ns.calls <- func() {
		defer close(done)
		f()
	}
	<-done
}

// IP runs the ip program with arguments that are separated by spaces.
func (ns *Namespace) IP(t *testing.T, args string) {
	t.Helper()
	if out, err := ns.Output(exec.Command("ip", strings.Fields(args)...)); err != nil {
		t.Fatalf("ip %s: %v\n%s", args, err, out)
	}
}

// Output runs a program to its end and returns what it printed.
func (ns *Namespace) Output(cmd *exec.Cmd) (out []byte, err error) {
	ns.Do(func() { out, err = cmd.CombinedOutput() })
	return out, err
}

// Start starts a program and ends it with the test.
func (ns *Namespace) Start(t *testing.T, cmd *exec.Cmd) {
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

// Connect joins two namespaces by a cable: each gets a device with the name and the addresses (with prefix lengths).
func Connect(t *testing.T, device string, a *Namespace, addressesA []string, b *Namespace, addressesB []string) {
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
		// The kernel notices the carrier some time after both ends are up, and only then uses IPv6 addresses.
		Eventually(t, 5*time.Second, device+" is up with all its addresses", func() bool {
			out, err := ns.Output(exec.Command("ip", "address", "show", "dev", device))
			return err == nil && strings.Contains(string(out), "state UP") && !strings.Contains(string(out), "tentative")
		})
	}
}

// Listen opens a listening TCP socket, closed with the test.
func (ns *Namespace) Listen(t *testing.T, address string) net.Listener {
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

// Dial connects to an IP address and port from inside the namespace.
func (ns *Namespace) Dial(_ context.Context, _, address string) (conn net.Conn, err error) {
	ns.Do(func() { conn, err = net.DialTimeout("tcp", address, 2*time.Second) })
	return conn, err
}

// DialAs is Dial with a socket that belongs to the given user.
func (ns *Namespace) DialAs(uid int, address string) (conn net.Conn, err error) {
	ns.Do(func() {
		// The kernel takes a socket's owner from the file system user of the thread that opens it.
		_, _, _ = unix.RawSyscall(unix.SYS_SETFSUID, uintptr(uid), 0, 0)
		defer func() { _, _, _ = unix.RawSyscall(unix.SYS_SETFSUID, 0, 0, 0) }()
		conn, err = net.DialTimeout("tcp", address, 2*time.Second)
	})
	return conn, err
}

// HTTP is a client whose connections start in the namespace; it keeps none and follows redirects as Go does.
func (ns *Namespace) HTTP() *http.Client {
	return &http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{DialContext: ns.Dial, DisableKeepAlives: true},
	}
}

// Eventually waits until a condition holds, asking it every 20 ms, and fails the test after the limit.
func Eventually(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("after %s still not true: %s", limit, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Address joins a host and a port, with brackets around IPv6.
func Address(host string, port uint16) string { return net.JoinHostPort(host, strconv.Itoa(int(port))) }
