package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestReadyCondition(t *testing.T) {
	tests := map[string]struct{ body, want string }{
		"ready":     {`{"status":{"conditions":[{"type":"MemoryPressure","status":"False"},{"type":"Ready","status":"True"}]}}`, ""},
		"not ready": {`{"status":{"conditions":[{"type":"Ready","status":"False","message":"no network"}]}}`, "no network"},
		"new":       {`{"status":{}}`, "not reported"},
		"damaged":   {`{`, "JSON"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := readyCondition([]byte(tt.body))
			if (err == nil) != (tt.want == "") || (err != nil && !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("readyCondition = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestAwaitReturnsLastErrorBeforeTimeout(t *testing.T) {
	reason := errors.New("the node is not ready")
	err := await(context.Background(), 150*time.Millisecond, nil, func(ctx context.Context) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return reason
	})
	if !errors.Is(err, reason) {
		t.Errorf("await returned %v", err)
	}
	calls := 0
	if err := await(context.Background(), time.Minute, nil, func(context.Context) error {
		calls++
		if calls < 2 {
			return reason
		}
		return nil
	}); err != nil {
		t.Errorf("await returned %v after the check passed", err)
	}
}

func TestKubeletVersion(t *testing.T) {
	for body, accepted := range map[string]bool{
		`{"status":{"nodeInfo":{"kubeletVersion":"v1.36.3"}}}`: true,
		`{"status":{"nodeInfo":{"kubeletVersion":"v1.3.0"}}}`:  false,
		`{"status":{"nodeInfo":{"kubeletVersion":"v1.35.4"}}}`: false,
		`{"status":{}}`: false,
		`{`:             false,
	} {
		if err := kubeletVersion([]byte(body), "1.36"); (err == nil) != accepted {
			t.Errorf("a node %s is of 1.36: %v", body, err)
		}
	}
}

// kube-proxy exits when its configuration is written, even with the same content.
func TestWriteChangedLeavesEqualFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kube-proxy.yaml")
	if err := os.WriteFile(file, []byte("a"), 0o444); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeChanged(file, []byte("a")); err != nil {
		t.Error(err)
	}
	if after, err := os.Stat(file); err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("the file was written (%v)", err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := writeChanged(file, []byte("b")); err != nil {
		t.Error(err)
	}
	if content, err := os.ReadFile(file); string(content) != "b" {
		t.Errorf("the file has %q (%v)", content, err)
	}
}
