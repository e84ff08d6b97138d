package xds

import (
	"encoding/binary"
	"errors"
)

// The parts of HTTP/2 and gRPC framing that a messageTracker reads.
const (
	prefaceBytes     = 24
	frameHeaderBytes = 9
	frameData        = 0
	frameRSTStream   = 3
	flagEndStream    = 0x1
	flagPadded       = 0x8
	// messagePrefixBytes is the length of a gRPC prefix: a byte for the compression, and the length of the message.
	messagePrefixBytes = 5
)

const (
	// freeFrames is how many frames of a message may have any size. Further ones need an average of minFrameBytes, because gRPC
	// keeps each frame of an unfinished message as an object of its own.
	freeFrames    = 64
	minFrameBytes = 512
	// maxUnfinishedMessages is how many messages of a connection may be unfinished. More streams are open only if the server has
	// ended some of them.
	maxUnfinishedMessages = 64
)

var (
	errPadded         = errors.New("the client sends padded frames")
	errSmallFrames    = errors.New("the client divides a message into very small frames")
	errManyUnfinished = errors.New("the client has too many unfinished messages")
)

// messageTracker follows the gRPC messages in what a client sends on a connection. The zero value is not usable.
type messageTracker struct {
	// skip is the number of bytes before the next frame that belong to no message.
	skip      int
	header    [frameHeaderBytes]byte
	headerLen int
	// stream and data are the stream and the number of missing bytes of the current data frame.
	stream    uint32
	data      int
	endStream bool
	// unfinished has the message of each stream that is not complete.
	unfinished map[uint32]*unfinishedMessage
	// large counts the unfinished messages above smallMessageBytes; completed counts those that were completed.
	large, completed int
}

// unfinishedMessage is a message of which a part has arrived.
type unfinishedMessage struct {
	prefix [messagePrefixBytes]byte
	// received counts bytes with the prefix. missing is valid after the prefix.
	received, missing, frames int
}

func (m *unfinishedMessage) isLarge() bool { return m.received > smallMessageBytes }

func newMessageTracker() *messageTracker {
	return &messageTracker{skip: prefaceBytes, unfinished: map[uint32]*unfinishedMessage{}}
}

// read processes the next bytes of the connection. The error is about a client that no Envoy is.
func (t *messageTracker) read(p []byte) error {
	for len(p) > 0 {
		switch {
		case t.skip > 0:
			n := min(t.skip, len(p))
			t.skip, p = t.skip-n, p[n:]
		case t.data > 0:
			n := min(t.data, len(p))
			if err := t.readData(p[:n]); err != nil {
				return err
			}
			t.data, p = t.data-n, p[n:]
			if t.data == 0 && t.endStream {
				t.forget(t.stream)
			}
		default:
			n := copy(t.header[t.headerLen:], p)
			t.headerLen, p = t.headerLen+n, p[n:]
			if t.headerLen == frameHeaderBytes {
				t.headerLen = 0
				if err := t.beginFrame(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// beginFrame processes a complete frame header.
func (t *messageTracker) beginFrame() error {
	length := int(t.header[0])<<16 | int(t.header[1])<<8 | int(t.header[2])
	kind, flags := t.header[3], t.header[4]
	stream := binary.BigEndian.Uint32(t.header[5:]) &^ (1 << 31)
	switch {
	case kind == frameRSTStream:
		t.forget(stream)
		t.skip = length
	case kind != frameData:
		t.skip = length
	case flags&flagPadded != 0:
		return errPadded
	default:
		t.stream, t.data, t.endStream = stream, length, flags&flagEndStream != 0
		if length == 0 && t.endStream {
			t.forget(stream)
		}
		if m := t.unfinished[stream]; m != nil && length > 0 {
			m.frames++
			if m.frames > freeFrames && m.received < m.frames*minFrameBytes {
				return errSmallFrames
			}
		}
	}
	return nil
}

// readData processes data of the current stream.
func (t *messageTracker) readData(p []byte) error {
	for len(p) > 0 {
		m := t.unfinished[t.stream]
		if m == nil {
			if len(t.unfinished) >= maxUnfinishedMessages {
				return errManyUnfinished
			}
			m = &unfinishedMessage{}
			t.unfinished[t.stream] = m
		}
		wasLarge := m.isLarge()
		p = p[m.read(p):]
		if !wasLarge && m.isLarge() {
			t.large++
		}
		if m.received >= messagePrefixBytes && m.missing == 0 {
			if m.isLarge() {
				t.completed++
			}
			t.forget(t.stream)
		}
	}
	return nil
}

// read takes the bytes that belong to the message and returns how many these are.
func (m *unfinishedMessage) read(p []byte) int {
	if m.received < messagePrefixBytes {
		n := copy(m.prefix[m.received:], p)
		m.received += n
		if m.received == messagePrefixBytes {
			m.missing = int(binary.BigEndian.Uint32(m.prefix[1:]))
		}
		return n
	}
	n := min(m.missing, len(p))
	m.received, m.missing = m.received+n, m.missing-n
	return n
}

// forget removes the unfinished message of a stream.
func (t *messageTracker) forget(stream uint32) {
	if m := t.unfinished[stream]; m != nil && m.isLarge() {
		t.large--
	}
	delete(t.unfinished, stream)
}
