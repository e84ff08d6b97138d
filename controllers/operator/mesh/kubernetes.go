package mesh

import (
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/discovery"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// pollKubernetes is how often the version of an API server that is too old is read again.
const pollKubernetes = time.Minute

// Kubernetes is the version of the API server. It is safe for concurrent use.
type Kubernetes struct {
	server discovery.ServerVersionInterface

	mu      sync.Mutex
	version string
}

// ReadKubernetes reads the version of an API server.
func ReadKubernetes(server discovery.ServerVersionInterface) (*Kubernetes, error) {
	k := &Kubernetes{server: server}
	return k, k.read()
}

func (k *Kubernetes) read() error {
	info, err := k.server.ServerVersion()
	if err != nil {
		return fmt.Errorf("the version of the API server cannot be read: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.version = info.GitVersion
	return nil
}

func (k *Kubernetes) latest() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.version
}

// Outdated returns a version that is too old, and "" for a supported one. A version that is too old is read again, because somebody may have
// upgraded the cluster. A version that cannot be parsed is supported.
func (k *Kubernetes) Outdated() (string, error) {
	if isSupported(k.latest()) {
		return "", nil
	}
	if err := k.read(); err != nil || isSupported(k.latest()) {
		return "", err
	}
	return k.latest(), nil
}

func isSupported(cluster string) bool {
	parsed, err := version.ParseGeneric(cluster)
	return err != nil || parsed.AtLeast(version.MustParseGeneric(names.OldestKubernetes))
}
