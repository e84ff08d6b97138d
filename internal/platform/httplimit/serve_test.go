package httplimit_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/platform/httplimit"
)

// TestRequestsInProgressEndBeforeTheServer checks that a server that stops answers the requests that it has received, and only then returns.
func TestRequestsInProgressEndBeforeTheServer(t *testing.T) {
	received, proceed := make(chan struct{}), make(chan struct{})
	// A test server has a certificate that its client trusts.
	test := httptest.NewTLSServer(http.NotFoundHandler())
	defer test.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(received)
		<-proceed
		_, _ = io.WriteString(w, "answer")
	})
	server := &http.Server{Handler: handler, TLSConfig: test.TLS.Clone()}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- httplimit.ServeTLS(ctx, server, listener, httplimit.Shutdown{}) }()
	answers := make(chan string, 1)
	go func() {
		response, err := test.Client().Get("https://" + listener.Addr().String())
		if err != nil {
			answers <- err.Error()
			return
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		answers <- string(text)
	}()
	<-received
	stop()
	select {
	case err := <-ended:
		t.Errorf("the server returned %v before the answer", err)
	default:
	}
	close(proceed)
	if answer := <-answers; answer != "answer" {
		t.Errorf("the client got %q", answer)
	}
	if err := <-ended; err != nil {
		t.Errorf("the server returned %v", err)
	}
}
