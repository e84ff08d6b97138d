package server

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
)

// FuzzQueries asks for any path with any query. The answer is JSON, an error with a text, or a redirection.
func FuzzQueries(f *testing.F) {
	for _, path := range []string{
		"/", "/report/v1/proxies", "/report/v1/objects/TrafficTarget/a/known", "/report/v1/objects/TrafficTarget/a/other?x=%zz", "/report/v1/objects///", "/report/v1/loads?since=-1",
		"/report/v1/../v1/changes", "/report/v1/objects/%2e%2e/a/b", "/report/v1/objects/a/b/c/d", "/report/v1/peers/west", "/report/v1/peers/",
	} {
		f.Add("GET", path)
	}
	f.Add("DELETE", "/report/v1/proxies")
	handler := Handler(store{ready: true}, reported, nothingDenied(), issuer(""), noPeers{}, (&cluster{}).access(time.Now))
	f.Fuzz(func(t *testing.T, method, path string) {
		target, err := url.ParseRequestURI(path)
		if err != nil || path == "*" {
			return // no HTTP server passes it on
		}
		request := httptest.NewRequest(http.MethodGet, "/", nil)
		request.Method, request.URL, request.RequestURI = method, target, path
		request.Header.Set("Authorization", "Bearer reader for report.osm")
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, request)
		switch {
		case recorder.Code == http.StatusOK && method != http.MethodHead && !json.Valid(recorder.Body.Bytes()):
			t.Errorf("the answer is not JSON: %s", recorder.Body)
		case recorder.Code >= 400 && method != http.MethodHead && recorder.Body.Len() == 0:
			t.Errorf("status %d has no text", recorder.Code)
		case recorder.Code >= 500:
			t.Errorf("status %d: %s", recorder.Code, recorder.Body)
		}
	})
}
