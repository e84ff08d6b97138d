package kube

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestPodsThatDoNotAnswer connects to pods whose kubelet does not answer, for which the API server waits without a limit. Commands end after
// the timeout, and by Ctrl-C at once.
func TestPodsThatDoNotAnswer(t *testing.T) {
	released := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-released }))
	defer hanging.Close()
	defer close(released)
	interrupted, interrupt := context.WithCancel(t.Context())
	interrupt()
	for name, test := range map[string]struct {
		ctx     context.Context
		timeout time.Duration
		reason  string
	}{
		"timeout":     {t.Context(), 200 * time.Millisecond, "no answer within 200ms"},
		"interrupted": {interrupted, time.Hour, context.Canceled.Error()},
	} {
		flags := flagsFor(t, hanging.URL)
		flags.podTimeout = test.timeout
		for call, ask := range map[string]func() error{
			"forward": func() error {
				_, err := flags.Forward(test.ctx, "shop", "web", 0, 15000)
				return err
			},
			"slot": func() error {
				_, err := flags.SlotAnswer(test.ctx, "shop", "web", "envoy-standby", http.MethodGet, "/stats")
				return err
			},
			"hold": func() error { return flags.Hold(test.ctx, "shop", "web", 0, 15000, func(string) {}) },
			"answer": func() error {
				_, err := flags.PodAnswer(test.ctx, "shop", "web", 9091, "/version")
				return err
			},
		} {
			t.Run(name+" "+call, func(t *testing.T) {
				ended := make(chan error, 1)
				go func() { ended <- ask() }()
				select {
				case err := <-ended:
					if err == nil || !strings.Contains(err.Error(), test.reason) {
						t.Errorf("error %v, want %s", err, test.reason)
					}
				case <-time.After(20 * time.Second):
					t.Fatal("the command hangs")
				}
			})
		}
	}
}
