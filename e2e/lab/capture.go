package lab

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Capture records what pods send each other over the network of the local cluster, to find what is not encrypted. It sees the packets of all interfaces of
// this machine outside pods, so a packet between two pods counts once for each of their interfaces.
type Capture struct {
	socket int
	// isPod reports whether an address is that of a pod.
	isPod  func(netip.Addr) bool
	marker []byte
	done   sync.WaitGroup
	stop   func()

	seen Captured
	err  error
}

// Captured is the result of a Capture.
type Captured struct {
	// Payloads are TCP segments with content between two pods, and Encrypted those of them that begin with a record of TLS.
	Payloads, Encrypted int
	// Plaintext describes the first segments that contain the marker or begin like HTTP/1.
	Plaintext []string
}

// maxPlaintext limits how many segments a Captured describes.
const maxPlaintext = 20

// StartCapture begins to capture. A segment that contains the marker is plaintext: senders put the marker into what they send. The caller stops it.
func StartCapture(isPod func(netip.Addr) bool, marker string) (*Capture, error) {
	// A cooked socket: packets begin with their IP header on every kind of interface. A socket of IPv4 alone would miss what a bridge forwards between its
	// ports, because the bridge takes packets before the protocols do.
	socket, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(networkOrder(unix.ETH_P_ALL)))
	if err != nil {
		return nil, fmt.Errorf("a capture needs the capability NET_RAW: %w", err)
	}
	// Reads end, so that a stop is noticed.
	timeout := unix.NsecToTimeval((100 * time.Millisecond).Nanoseconds())
	if err := errors.Join(unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout),
		unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20)); err != nil {
		_ = unix.Close(socket)
		return nil, fmt.Errorf("the capture cannot be configured: %w", err)
	}
	c := &Capture{socket: socket, isPod: isPod, marker: []byte(marker)}
	stopped := make(chan struct{})
	c.done.Go(func() { c.read(stopped) })
	c.stop = sync.OnceFunc(func() { close(stopped) })
	return c, nil
}

// networkOrder returns a number of 16 bits as the kernel expects it in network byte order.
func networkOrder(n uint16) uint16 { return n<<8 | n>>8 }

// Stop ends the capture. It returns an error if packets were lost, because they could have been plaintext.
func (c *Capture) Stop() (Captured, error) {
	c.stop()
	c.done.Wait()
	statistics, err := unix.GetsockoptTpacketStats(c.socket, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	c.err = errors.Join(c.err, err, unix.Close(c.socket))
	if c.err == nil && statistics.Drops > 0 {
		c.err = fmt.Errorf("the capture lost %d of %d packets", statistics.Drops, statistics.Packets)
	}
	return c.seen, c.err
}

// maxQueued is how many packets are read after the end of a capture.
const maxQueued = 100_000

func (c *Capture) read(stopped <-chan struct{}) {
	packet := make([]byte, 64<<10)
	for left := maxQueued; left > 0; {
		flags := 0
		select {
		case <-stopped:
			flags = unix.MSG_DONTWAIT // what was sent before the end
			left--
		default:
		}
		n, _, err := unix.Recvfrom(c.socket, packet, flags)
		switch {
		case errors.Is(err, unix.EAGAIN) && flags != 0:
			return
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		case err != nil:
			c.err = err
			return
		default:
			c.add(packet[:n])
		}
	}
}

// add counts an IPv4 packet.
func (c *Capture) add(packet []byte) {
	from, to, payload := segmentOf(packet)
	if len(payload) == 0 || !c.isPod(from.Addr()) || !c.isPod(to.Addr()) {
		return
	}
	c.seen.Payloads++
	switch {
	case isRecord(payload):
		c.seen.Encrypted++
	case bytes.Contains(payload, c.marker), bytes.HasPrefix(payload, []byte("HTTP/1.")):
		if len(c.seen.Plaintext) < maxPlaintext {
			c.seen.Plaintext = append(c.seen.Plaintext, fmt.Sprintf("%s to %s: %.80q", from, to, payload))
		}
	}
}

// segmentOf returns the addresses and the content of a TCP segment; no content for other packets, and for all but the first fragment.
func segmentOf(packet []byte) (from, to netip.AddrPort, payload []byte) {
	const tcp, smallest = 6, 20
	if len(packet) < 2*smallest || packet[0]>>4 != 4 || packet[9] != tcp {
		return
	}
	header, total := int(packet[0]&0xf)*4, int(binary.BigEndian.Uint16(packet[2:]))
	if fragment := binary.BigEndian.Uint16(packet[6:]) & 0x1fff; fragment != 0 || header+smallest > len(packet) {
		return
	}
	// Large segments that the kernel did not divide can have no length.
	if total != 0 && total < len(packet) {
		packet = packet[:total]
	}
	segment := packet[header:]
	offset := int(segment[12]>>4) * 4
	if len(segment) < offset {
		return
	}
	source, _ := netip.AddrFromSlice(packet[12:16])
	destination, _ := netip.AddrFromSlice(packet[16:20])
	return netip.AddrPortFrom(source, binary.BigEndian.Uint16(segment)), netip.AddrPortFrom(destination, binary.BigEndian.Uint16(segment[2:])), segment[offset:]
}

// isRecord reports whether content begins with a record of TLS.
func isRecord(payload []byte) bool {
	const least = 5
	return len(payload) >= least && payload[0] >= 20 && payload[0] <= 23 && payload[1] == 3 && payload[2] <= 4
}
