package fakepods

import (
	"fmt"
	"io"
	"net"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
)

// portForwardProtocol is the protocol of port-forward.
const portForwardProtocol = "portforward.k8s.io"

// forward serves port-forward over SPDY, as a kubelet does: each connection has a data stream and an error stream.
// It rejects WebSockets, so clients fall back to SPDY.
func (f *Front) forward(w http.ResponseWriter, r *http.Request, pod string) {
	if !httpstream.IsUpgradeRequest(r) || r.Header.Get("Upgrade") == "websocket" {
		http.Error(w, "only SPDY is supported", http.StatusBadRequest)
		return
	}
	if _, err := httpstream.Handshake(r, w, []string{portForwardProtocol}); err != nil {
		return
	}
	failures := make(chan httpstream.Stream, 64)
	connection := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(stream httpstream.Stream, _ <-chan struct{}) error {
		if stream.Headers().Get(corev1.StreamType) == corev1.StreamTypeError {
			failures <- stream
			return nil
		}
		go f.carry(pod, stream, <-failures)
		return nil
	})
	if connection == nil {
		return
	}
	defer func() { _ = connection.Close() }()
	<-connection.CloseChan()
}

// carry copies bytes between a stream and the port that it names.
func (f *Front) carry(pod string, data, failure httpstream.Stream) {
	defer func() { _ = data.Close(); _ = failure.Close() }()
	address, err := f.port(pod, data.Headers().Get(corev1.PortHeader))
	if err != nil {
		_, _ = fmt.Fprint(failure, err)
		return
	}
	var dialer net.Dialer
	server, err := dialer.Dial("tcp", address)
	if err != nil {
		_, _ = fmt.Fprint(failure, err)
		return
	}
	go func() {
		_, _ = io.Copy(server, data)
		_ = server.Close()
	}()
	_, _ = io.Copy(data, server)
}
