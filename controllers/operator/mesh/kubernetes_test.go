package mesh

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	apiversion "k8s.io/apimachinery/pkg/version"

	"github.com/openservicemesh/osm-operator/internal/operator/observe"
)

// apiServer is an API server with a version.
type apiServer struct {
	version  string
	away     bool
	requests int
}

func (s *apiServer) ServerVersion() (*apiversion.Info, error) {
	s.requests++
	if s.away {
		return nil, errors.New("connection refused")
	}
	return &apiversion.Info{GitVersion: s.version}, nil
}

func reconcilerFor(t *testing.T, server *apiServer) *Reconciler {
	t.Helper()
	read, err := ReadKubernetes(server)
	if err != nil {
		t.Fatal(err)
	}
	return &Reconciler{Kubernetes: read}
}

func TestOldKubernetesIsRejected(t *testing.T) {
	for _, test := range []struct {
		version  string
		rejected bool
	}{
		{"v1.28.15", true}, {"v1.29.14", true}, {"v1.30.0", false}, {"v1.36.3", false}, {"v1.31.2-gke.100", false}, {"v1.27.9+k3s1", true}, {"unknown", false},
	} {
		t.Run(test.version, func(t *testing.T) {
			err := reconcilerFor(t, &apiServer{version: test.version}).checkCluster(&pass{})
			if observe.IsStalledError(err) != test.rejected {
				t.Errorf("checkCluster = %v", err)
			}
			if test.rejected && !strings.Contains(fmt.Sprint(err), "upgrade the cluster") {
				t.Errorf("the error does not say what to do: %v", err)
			}
		})
	}
}

// TestUpgradedKubernetesIsAccepted upgrades a cluster of several API servers while the operator runs.
func TestUpgradedKubernetesIsAccepted(t *testing.T) {
	server := &apiServer{version: "v1.29.14"}
	r := reconcilerFor(t, server)
	p := &pass{}
	if err := r.checkCluster(p); !observe.IsStalledError(err) || p.Requeue != pollKubernetes {
		t.Errorf("%v, observed again after %s; want a rejection, and %s", err, p.Requeue, pollKubernetes)
	}
	server.away = true
	if err := r.checkCluster(&pass{}); err == nil || observe.IsStalledError(err) {
		t.Errorf("error %v without an API server, want one that is retried", err)
	}
	server.away, server.version = false, "v1.30.1"
	before := server.requests
	for range 3 {
		p := &pass{}
		if err := r.checkCluster(p); err != nil || p.Requeue != 0 {
			t.Errorf("after the upgrade: %v, observed again after %s", err, p.Requeue)
		}
	}
	if n := server.requests - before; n != 1 {
		t.Errorf("%d requests after the upgrade, want 1", n)
	}
}
