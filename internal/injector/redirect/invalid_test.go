package redirect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
)

// TestSegmentsOutsideTheWindow sends a segment on an open connection that connection tracking takes for none of it, as after lost packets of a large upload.
// Without a rule, it would reach the pod without the redirection, and the kernel would reset the connection.
func TestSegmentsOutsideTheWindow(t *testing.T) {
	pod, peer := nstest.New(t), nstest.New(t)
	nstest.Connect(t, "eth0", pod, []string{pod4 + "/24", pod6 + "/64"}, peer, []string{peer4 + "/24", peer6 + "/64"})
	apply(t, pod, Config{})
	listener := pod.Listen(t, fmt.Sprintf(":%d", names.InboundPort))
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(conn, conn) }()
		}
	}()
	for _, address := range []string{pod4, pod6} {
		to := netip.AddrPortFrom(netip.MustParseAddr(address), 8080)
		conn, err := peer.Dial(t.Context(), "tcp", to.String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		expectEcho(t, conn)
		local := conn.LocalAddr().(*net.TCPAddr).AddrPort()
		from := netip.AddrPortFrom(local.Addr().Unmap(), local.Port())
		sent, received := sequenceNumbers(t, conn.(*net.TCPConn))
		if !peer.Do(func() { err = sendStray(from, to, sent+1<<28, received) }) || err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond) // a reset would arrive by then
		expectEcho(t, conn)
	}
}

// expectEcho sends a byte and reads it back.
func expectEcho(t *testing.T, conn net.Conn) {
	t.Helper()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Write([]byte("a")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		t.Fatalf("the connection to %s: %v", conn.RemoteAddr(), err)
	}
}

// sequenceNumbers returns the next number that a connection sends, and the next one that it expects.
func sequenceNumbers(t *testing.T, conn *net.TCPConn) (sent, received uint32) {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	const receiveQueue, sendQueue, leaveWithoutProbe = 1, 2, -1
	set := func(fd uintptr, option, value int) error {
		return unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, option, value)
	}
	of := func(fd uintptr, queue int) (number uint32) {
		if err = errors.Join(err, set(fd, unix.TCP_REPAIR_QUEUE, queue)); err == nil {
			var value int
			value, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUEUE_SEQ)
			number = uint32(value)
		}
		return number
	}
	failure := raw.Control(func(fd uintptr) {
		err = set(fd, unix.TCP_REPAIR, 1)
		sent, received = of(fd, sendQueue), of(fd, receiveQueue)
		err = errors.Join(err, set(fd, unix.TCP_REPAIR, leaveWithoutProbe))
	})
	if err := errors.Join(failure, err); err != nil {
		t.Fatal(err)
	}
	return sent, received
}

// sendStray sends a TCP segment of a connection with a sequence number that is far beyond its window.
func sendStray(from, to netip.AddrPort, number, acknowledged uint32) error {
	segment := make([]byte, 24) // a header, and four bytes of data
	binary.BigEndian.PutUint16(segment[0:], from.Port())
	binary.BigEndian.PutUint16(segment[2:], to.Port())
	binary.BigEndian.PutUint32(segment[4:], number)
	binary.BigEndian.PutUint32(segment[8:], acknowledged)
	segment[12], segment[13] = 5<<4, 0x18 // length of the header; PSH and ACK
	binary.BigEndian.PutUint16(segment[14:], 1024)
	binary.BigEndian.PutUint16(segment[16:], checksum(from.Addr(), to.Addr(), segment))
	family, target := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Addr: to.Addr().As16()})
	if to.Addr().Is4() {
		family, target = unix.AF_INET, &unix.SockaddrInet4{Addr: to.Addr().As4()}
	}
	socket, err := unix.Socket(family, unix.SOCK_RAW, unix.IPPROTO_TCP)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	return unix.Sendto(socket, segment, 0, target)
}

// checksum is the one of TCP, over a pseudo header and the segment.
func checksum(from, to netip.Addr, segment []byte) uint16 {
	pseudo := append(append(from.AsSlice(), to.AsSlice()...), 0, unix.IPPROTO_TCP, 0, byte(len(segment)))
	sum := uint32(0)
	for data := append(pseudo, segment...); len(data) >= 2; data = data[2:] {
		sum += uint32(binary.BigEndian.Uint16(data))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
