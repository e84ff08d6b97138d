package launch

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestQuery_AsksEnvoyOfSlot asks a server in place of an Envoy, one that has ended, and a slot that was always idle.
func TestQuery_AsksEnvoyOfSlot(t *testing.T) {
	s := state{t.TempDir()}
	listener, err := net.Listen("unix", s.path(second+".admin"))
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 1<<20)
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.String() != "/logging?level=debug" {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = w.Write([]byte(r.Method + " " + r.URL.String() + long))
	})}}
	server.Start()
	for path, want := range map[string]string{"/logging?level=debug": "", "/nothing": "status 404"} {
		var answer strings.Builder
		err := Query(s.dir, second, http.MethodPost, path, &answer)
		if got := answer.String(); got != "POST "+path+long || err == nil != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%s: %d bytes, %v; want %d and %q", path, len(got), err, len(long), want)
		}
	}
	for _, invalid := range []string{"stats", "/a b", "/\r\nx: y"} {
		if err := Query(s.dir, second, http.MethodGet, invalid, &strings.Builder{}); err == nil {
			t.Errorf("%q is accepted", invalid)
		}
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false) // as an Envoy that was killed
	server.Close()
	for _, slot := range []string{first, second} {
		if err := Query(s.dir, slot, http.MethodGet, "/ready", &strings.Builder{}); !errors.Is(err, ErrNoEnvoy) {
			t.Errorf("%s without an Envoy: %v", slot, err)
		}
	}
}
