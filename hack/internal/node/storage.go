package node

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/openservicemesh/osm-operator/hack/internal/certs"
	"github.com/openservicemesh/osm-operator/hack/internal/component"
)

// RejectWrites makes etcd reject all writes, as it does when its storage is full. The API server still reads and deletes.
func (n *Node) RejectWrites(ctx context.Context) error { return n.storageAlarm(ctx, "ACTIVATE") }

// AcceptWrites ends the effect of RejectWrites.
func (n *Node) AcceptWrites(ctx context.Context) error { return n.storageAlarm(ctx, "DEACTIVATE") }

// storageAlarm activates or deactivates etcd's alarm for full storage, by its HTTP interface. Any member ID serves, as long as both calls name it.
func (n *Node) storageAlarm(ctx context.Context, action string) error {
	client, err := newClient(n.State.Certs(), certs.APIServerEtcd, certs.EtcdCA)
	if err != nil {
		return err
	}
	body := fmt.Sprintf(`{"action": %q, "memberID": "1", "alarm": "NOSPACE"}`, action)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, component.EtcdURL+"/v3/maintenance/alarm", bytes.NewBufferString(body))
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("etcd cannot be reached: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		return fmt.Errorf("etcd responded with %s: %.200s", response.Status, text)
	}
	return nil
}
