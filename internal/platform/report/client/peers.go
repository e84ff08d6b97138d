package client

import (
	"context"

	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// Peer reads from all replicas what they know of a peer.
func (c *Client) Peer(ctx context.Context, name string) ([]Answer[report.Peer], error) {
	return ask[report.Peer](ctx, c, report.PeersPath+name)
}

// LatestPeer returns what the replica with the newest knowledge of a peer reports: one that has a stream, else the one whose stream ended last. err is that of
// a replica if none exchanges anything with the peer, and nil if all agree on that; ok is then false.
func LatestPeer(answers []Answer[report.Peer]) (latest report.Peer, ok bool, err error) {
	for _, answer := range answers {
		switch {
		case answer.Err != nil:
			err = answer.Err
		case !answer.Value.Exchanged:
		case !ok || isNewer(answer.Value, latest):
			latest, ok = answer.Value, true
		}
	}
	if ok {
		err = nil
	}
	return latest, ok, err
}

func isNewer(a, b report.Peer) bool {
	switch {
	case b.StaleSince == nil:
		return false
	case a.StaleSince == nil:
		return true
	}
	return a.StaleSince.After(*b.StaleSince)
}
