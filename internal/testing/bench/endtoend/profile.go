package endtoend

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
)

// profileSeconds is how long a CPU profile takes. It begins with the first change of a kind.
const profileSeconds = 5

// profile starts a CPU profile of the controller, if one is wanted. The returned function waits for its end.
func (b *bench) profile(ctx context.Context, kind mesh.Kind) (wait func() error) {
	if b.Profiles == "" {
		return func() error { return nil }
	}
	done := make(chan error, 1)
	go func() { done <- b.writeProfile(ctx, kind) }()
	return func() error { return <-done }
}

// writeProfile writes a CPU profile of the controller, which its debug server makes.
func (b *bench) writeProfile(ctx context.Context, kind mesh.Kind) error {
	url := fmt.Sprintf("http://127.0.0.1:%d/debug/pprof/profile?seconds=%d", names.DebugPort, profileSeconds)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", url, response.Status, content)
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(b.Profiles, 0o755); err != nil {
		return err
	}
	name := fmt.Sprintf("endtoend-%s-%d-%s.pprof", b.Mode, b.Sidecars, kind)
	return os.WriteFile(filepath.Join(b.Profiles, name), content, 0o644)
}
