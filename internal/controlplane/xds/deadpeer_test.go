package xds

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDeadPeerIsDetectedByTheKernel reads the timeouts of an accepted connection: idle connections cost no work of the control plane for them.
func TestDeadPeerIsDetectedByTheKernel(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	detectDeadPeer(accepted)
	conn, err := accepted.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for option, want := range map[int]int{unix.TCP_KEEPIDLE: 30, unix.TCP_KEEPINTVL: 5, unix.TCP_KEEPCNT: 2, unix.TCP_USER_TIMEOUT: 40_000} {
		var got int
		var optionErr error
		if err := conn.Control(func(fd uintptr) { got, optionErr = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, option) }); err != nil {
			t.Fatal(err)
		}
		if optionErr != nil || got != want {
			t.Errorf("option %d is %d (%v), want %d", option, got, optionErr, want)
		}
	}
}
