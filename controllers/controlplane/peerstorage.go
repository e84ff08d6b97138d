package controlplane

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/openservicemesh/osm-operator/internal/controlplane/peering"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// peerStateKey is the key of the state in its ConfigMap.
	peerStateKey = "state"
	// maxPeerState is the maximum size of a stored state. The API server accepts 1 MiB for a whole object.
	maxPeerState = 900 << 10
)

// peerStorage stores what peers have said in ConfigMaps. The replica that writes status writes them.
type peerStorage struct {
	client  corev1client.ConfigMapInterface
	mesh    string
	leading func() bool
}

// labels are those of the ConfigMaps.
func (s *peerStorage) labels() map[string]string {
	return map[string]string{names.MeshLabel: s.mesh, names.AppLabel: names.Controller}
}

// retain removes what is stored for all other peers. A MeshPeer may have been deleted while no control plane ran.
func (s *peerStorage) retain(ctx context.Context, peers []string) error {
	stored, err := s.client.List(ctx, metav1.ListOptions{LabelSelector: labels.SelectorFromSet(s.labels()).String()})
	if err != nil {
		return err
	}
	kept := lists.Map(peers, names.PeerStateConfigMap)
	var failed []error
	for _, object := range stored.Items {
		if !strings.HasPrefix(object.Name, names.PeerStateConfigMap("")) || slices.Contains(kept, object.Name) {
			continue
		}
		if err := s.client.Delete(ctx, object.Name, metav1.DeleteOptions{}); !apierrors.IsNotFound(err) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// Load implements peering.Storage.
func (s *peerStorage) Load(ctx context.Context, peer string) ([]byte, error) {
	stored, err := s.client.Get(ctx, names.PeerStateConfigMap(peer), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return stored.BinaryData[peerStateKey], nil
}

// Save implements peering.Storage.
func (s *peerStorage) Save(ctx context.Context, peer string, data []byte) error {
	name := names.PeerStateConfigMap(peer)
	switch {
	case !s.leading():
		return peering.ErrOtherReplica
	case len(data) == 0:
		if err := s.client.Delete(ctx, name, metav1.DeleteOptions{}); !apierrors.IsNotFound(err) {
			return err
		}
		return nil
	case len(data) > maxPeerState:
		return fmt.Errorf("the state has %d bytes, the limit is %d", len(data), maxPeerState)
	}
	config := corev1ac.ConfigMap(name, "").WithLabels(s.labels()).WithBinaryData(map[string][]byte{peerStateKey: data})
	config.Namespace = nil // that of the client
	_, err := s.client.Apply(ctx, config, metav1.ApplyOptions{FieldManager: names.Controller, Force: true})
	return err
}
