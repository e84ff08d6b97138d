package xds

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// message returns a gRPC message of a length.
func message(length int) []byte {
	data := make([]byte, messagePrefixBytes+length)
	binary.BigEndian.PutUint32(data[1:], uint32(length))
	return data
}

// frames returns what write writes after the preface of a connection.
func frames(write func(*http2.Framer)) []byte {
	var out bytes.Buffer
	out.WriteString(http2.ClientPreface)
	write(http2.NewFramer(&out, nil))
	return out.Bytes()
}

// TestMessageTracker_FollowsMessages reads the same bytes in random pieces.
func TestMessageTracker_FollowsMessages(t *testing.T) {
	half := message(2 * smallMessageBytes)[:smallMessageBytes+10]
	data := frames(func(f *http2.Framer) {
		_ = f.WriteSettings()
		_ = f.WriteData(1, false, append(message(10), message(20)...)) // two messages in a frame
		_ = f.WriteData(3, false, half[:3])                            // a divided prefix
		_ = f.WriteData(1, false, message(0))
		_ = f.WriteData(3, false, half[3:])
		_ = f.WritePing(false, [8]byte{})
		_ = f.WriteData(5, false, half)
		_ = f.WriteRSTStream(5, http2.ErrCodeCancel)
		_ = f.WriteData(7, false, half)
		_ = f.WriteData(7, true, nil)
		_ = f.WriteData(9, false, message(2*smallMessageBytes))
		_ = f.WriteData(11, false, message(1)[:2])
	})
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		tracker := newMessageTracker()
		for rest := data; len(rest) > 0; {
			n := min(1+random.IntN(1+random.IntN(70_000)), len(rest))
			if err := tracker.read(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if len(tracker.unfinished) != 2 || tracker.large != 1 || tracker.completed != 1 {
			t.Fatalf("%d messages are unfinished, %d of them large, %d large ones were completed; want 2, 1 and 1", len(tracker.unfinished), tracker.large, tracker.completed)
		}
	}
}

func TestMessageTracker_RejectsOtherClients(t *testing.T) {
	cases := map[string]struct {
		data []byte
		want error
	}{
		"padding": {frames(func(f *http2.Framer) { _ = f.WriteDataPadded(1, false, message(1), make([]byte, 5)) }), errPadded},
		"small frames": {frames(func(f *http2.Framer) {
			for _, b := range message(1000) {
				_ = f.WriteData(1, false, []byte{b})
			}
		}), errSmallFrames},
		"many unfinished messages": {frames(func(f *http2.Framer) {
			for stream := range uint32(maxUnfinishedMessages + 1) {
				_ = f.WriteData(2*stream+1, false, message(1)[:2])
			}
		}), errManyUnfinished},
	}
	for name, tc := range cases {
		if err := newMessageTracker().read(tc.data); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
	}
}

// TestLargeMessagesWaitForEachOther has two clients with large messages, and one slot.
func TestLargeMessagesWaitForEachOther(t *testing.T) {
	limiter := newMessageLimiter(1, time.Minute, func(error) {})
	open := func(data []byte) (*messageConn, <-chan error) {
		client, server := net.Pipe()
		conn := limiter.newConn(server)
		conn.bind()
		ended := make(chan error, 1)
		go func() {
			_, err := client.Write(data)
			_ = client.Close()
			ended <- err
		}()
		t.Cleanup(func() { _ = conn.Close() })
		return conn, ended
	}
	large := frames(func(f *http2.Framer) { _ = f.WriteData(1, false, message(2*smallMessageBytes)) })
	first, firstSent := open(large)
	go func() { _, _ = io.Copy(io.Discard, first) }()
	if err := <-firstSent; err != nil {
		t.Fatal(err)
	}
	second, secondSent := open(large)
	go func() { _, _ = io.Copy(io.Discard, second) }()
	select {
	case <-secondSent:
		t.Error("the second client does not wait for the first")
	case <-time.After(100 * time.Millisecond):
	}
	first.handled()
	if err := <-secondSent; err != nil {
		t.Error(err)
	}
	_ = second.Close()
	eventually.True(t, waitLimit, "no slot is taken", func() bool { return len(limiter.slots) == 0 })
}

// TestLargeMessageTimesOut sends a part of a large message.
func TestLargeMessageTimesOut(t *testing.T) {
	closed := make(chan error, 2)
	limiter := newMessageLimiter(1, 50*time.Millisecond, func(err error) { closed <- err })
	client, server := net.Pipe()
	conn := limiter.newConn(server)
	conn.bind()
	go func() {
		_, _ = client.Write(frames(func(f *http2.Framer) { _ = f.WriteData(1, false, message(3 * smallMessageBytes)[:2*smallMessageBytes]) }))
	}()
	_, _ = io.Copy(io.Discard, conn)
	if err := <-closed; !errors.Is(err, errNoSlot) {
		t.Errorf("the connection was closed because of %v, want %v", err, errNoSlot)
	}
	eventually.True(t, waitLimit, "no slot is taken", func() bool { return len(limiter.slots) == 0 })
}
