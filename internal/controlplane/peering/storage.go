package peering

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/peering"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Storage keeps what peers have said, so that a control plane that starts while a peer is away knows it. Its content is verified when it is loaded.
type Storage interface {
	// Load returns what was saved for a peer; nothing if there is none.
	Load(ctx context.Context, peer string) ([]byte, error)
	// Save replaces what is stored for a peer. It removes it if data is empty. It returns ErrOtherReplica if another replica does so, and is called again.
	Save(ctx context.Context, peer string, data []byte) error
}

// storedState is the content of the storage for a peer, compressed.
type storedState struct {
	Records []storedRecord `json:"records"`
	// Trail has the signed records of trust that lead from the declared roots to the present ones.
	Trail []string `json:"trail,omitempty"`
}

// ErrOtherReplica means that another replica writes the storage.
var ErrOtherReplica = errors.New("another replica writes the storage")

type storedRecord struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Signed  string `json:"signed"`
}

// save returns the content of the storage.
func (i *importer) save() ([]byte, error) {
	state := storedState{Trail: lists.Map(i.trail, func(s step) string { return s.signed })}
	for _, name := range slices.Sorted(maps.Keys(i.held)) {
		state.Records = append(state.Records, storedRecord{name, i.held[name].version, i.held[name].signed})
	}
	var data bytes.Buffer
	writer := gzip.NewWriter(&data)
	if err := json.NewEncoder(writer).Encode(state); err != nil {
		return nil, err
	}
	err := writer.Close()
	return data.Bytes(), err
}

// maxStoredBytes is the maximum size of the uncompressed storage.
const maxStoredBytes = maxTotalBytes + maxTrail*maxRecordBytes + (1 << 20)

// load holds what the storage has, as far as its signatures lead to a trusted root. It is called before the first stream.
func (i *importer) load(data []byte) ([]catalog.Change, error) {
	if len(data) == 0 {
		return nil, nil
	}
	reader, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("the stored state of the peer %s cannot be read: %w", i.peer.Name, err)
	}
	var state storedState
	if err := json.NewDecoder(io.LimitReader(reader, maxStoredBytes)).Decode(&state); err != nil {
		return nil, fmt.Errorf("the stored state of the peer %s cannot be read: %w", i.peer.Name, err)
	}
	i.followAgain(state.Trail)
	trusted, _ := i.peers.trusted(i.peer.Name)
	return i.loadRecords(state.Records, trusted.RootsPEM)
}

// loadRecords holds the stored records of the epoch of the stored trust. Only a stream can begin another epoch.
func (i *importer) loadRecords(records []storedRecord, roots []byte) ([]catalog.Change, error) {
	slices.SortFunc(records, func(a, b storedRecord) int { return compareTrustFirst(a.Name, b.Name) })
	var changes []catalog.Change
	var failed error
	for _, stored := range records {
		held := &heldRecord{version: stored.Version, signed: stored.Signed}
		if len(held.version) > maxVersionBytes || len(held.signed) > maxRecordBytes {
			continue
		}
		record, err := i.verifier(true).verify(held.signed, roots)
		if err == nil && stored.Name != peering.TrustName && !i.isEpoch(record.Epoch) {
			err = reject(ReasonOldGeneration, errors.New("its epoch is not that of the stored trust"))
		}
		var added []catalog.Change
		if err == nil {
			added, err = i.hold(stored.Name, held, i.verifier(true), roots)
		}
		if err != nil && failed == nil {
			failed = fmt.Errorf("the stored record %q of the peer %s is ignored: %w", stored.Name, i.peer.Name, err)
		}
		changes = append(changes, added...)
	}
	return changes, failed
}

// isEpoch reports whether an epoch is that of the trust of the peer.
func (i *importer) isEpoch(epoch string) bool {
	held := i.held[peering.TrustName]
	return held != nil && held.record.Epoch == epoch
}

// compareTrustFirst orders names of records, with the trust at the beginning.
func compareTrustFirst(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == peering.TrustName:
		return -1
	case b == peering.TrustName:
		return 1
	case a < b:
		return -1
	}
	return 1
}
