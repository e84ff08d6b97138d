package xds

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	deltaMethod = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
	sotwMethod  = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
	loadMethod  = "/envoy.service.load_stats.v3.LoadReportingService/StreamLoadStats"
)

// hostileClient is an HTTP/2 client that sends what no gRPC library sends. It sends as much as flow control permits.
type hostileClient struct {
	conn   *tls.Conn
	framer *http2.Framer
	// closed is closed when the server has closed the connection.
	closed chan struct{}

	mu      sync.Mutex
	changed *sync.Cond
	// windows has the flow control window of each open stream, and that of the connection as stream 0.
	windows map[uint32]int
	ended   bool
	next    uint32
}

// dialHostile opens a connection and returns after the server's settings have arrived.
func (c *control) dialHostile(t testing.TB) *hostileClient {
	t.Helper()
	config := c.tls.Clone()
	config.NextProtos = []string{"h2"}
	conn, err := tls.Dial("tcp", c.address, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	h := &hostileClient{conn: conn, framer: http2.NewFramer(conn, conn), closed: make(chan struct{}), windows: map[uint32]int{0: 65535}, next: 1}
	h.changed = sync.NewCond(&h.mu)
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	if err := h.framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	go h.read()
	return h
}

// read follows flow control and answers settings and pings, until the connection ends.
func (h *hostileClient) read() {
	defer func() {
		h.mu.Lock()
		h.ended = true
		h.changed.Broadcast()
		h.mu.Unlock()
		close(h.closed)
	}()
	for {
		frame, err := h.framer.ReadFrame()
		if err != nil {
			return
		}
		h.mu.Lock()
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				_ = h.framer.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				_ = h.framer.WritePing(true, f.Data)
			}
		case *http2.WindowUpdateFrame:
			if _, open := h.windows[f.StreamID]; open {
				h.windows[f.StreamID] += int(f.Increment)
			}
		case *http2.RSTStreamFrame:
			delete(h.windows, f.StreamID)
		case *http2.HeadersFrame:
			if f.StreamEnded() {
				delete(h.windows, f.StreamID)
			}
		}
		h.changed.Broadcast()
		h.mu.Unlock()
	}
}

// open opens a stream.
func (h *hostileClient) open(method, token string) uint32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	id := h.next
	h.next += 2
	h.windows[id] = 65535
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, field := range [][2]string{
		{":method", "POST"},
		{":scheme", "https"},
		{":path", method},
		{":authority", "xds"},
		{"content-type", "application/grpc"},
		{"te", "trailers"},
		{"authorization", token},
	} {
		_ = encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	_ = h.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes(), EndHeaders: true})
	return id
}

// send sends data in frames of a size until everything is sent, or the stream or the connection has ended.
func (h *hostileClient) send(id uint32, data []byte, frame int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(data) > 0 {
		window, open := h.windows[id]
		if h.ended || !open {
			return
		}
		n := min(frame, len(data), window, h.windows[0])
		if n <= 0 {
			h.changed.Wait()
			continue
		}
		h.windows[id] -= n
		h.windows[0] -= n
		if h.framer.WriteData(id, false, data[:n]) != nil {
			return
		}
		data = data[n:]
	}
}

// isOpen reports whether the server has ended neither the stream nor the connection.
func (h *hostileClient) isOpen(id uint32) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, open := h.windows[id]
	return open && !h.ended
}

// unfinished is a message without its last byte.
var unfinished = func() []byte {
	data := make([]byte, 5+maxRequestBytes-1)
	binary.BigEndian.PutUint32(data[1:], maxRequestBytes)
	return data
}()

// firstMessage is the part of a large message that flow control permits before the server reads.
var firstMessage = unfinished[:65535]
