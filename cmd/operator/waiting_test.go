package main

import (
	"net/http/httptest"
	"testing"
)

func TestWaitingOperatorIsAliveAndNotReady(t *testing.T) {
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503} {
		recorder := httptest.NewRecorder()
		waitingHandler().ServeHTTP(recorder, httptest.NewRequest("GET", path, nil))
		if recorder.Code != want {
			t.Errorf("%s answers %d, want %d", path, recorder.Code, want)
		}
	}
}
