package peering

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/version"
)

// MaxFollow is how long roots are trusted that a peer has sent and that its MeshPeer does not declare.
const MaxFollow = 30 * 24 * time.Hour

// MaxRoots is how many roots a bundle of a peer has. A rotation needs two.
const MaxRoots = 8

// maxAccepted is how many roots a mesh trusts for a peer: those that are declared, and those that are followed.
const maxAccepted = 2 * MaxRoots

// Check returns an error unless the roots of the mesh can be read, and the accepted ones are a list of fingerprints.
func (t Trust) Check() error {
	if _, err := ParseRoots([]byte(t.Bundle)); err != nil {
		return err
	}
	if len(t.Accepted) > maxAccepted {
		return fmt.Errorf("%w: more than %d roots are accepted", ErrInvalid, maxAccepted)
	}
	for _, fingerprint := range t.Accepted {
		if hash, err := hex.DecodeString(fingerprint); err != nil || len(hash) != sha256.Size {
			return fmt.Errorf("%w: what is accepted is no fingerprint of a root", ErrInvalid)
		}
	}
	return nil
}

// Trusted are the roots that are trusted for the names of a peer.
type Trusted struct {
	// RootsPEM are the declared roots, followed by those that are followed.
	RootsPEM []byte
	// Differs is true if the bundle that the peer sends has other roots than its MeshPeer.
	Differs bool
	// Until is when roots that are not declared end to be trusted; zero if there are none.
	Until time.Time
}

// Follow returns the roots that are trusted for a peer: those that its MeshPeer declares and, if they are followed, those that it has sent. since is when the
// first roots were sent that are not declared.
func Follow(declared, sent []byte, follow bool, since, now time.Time) Trusted {
	trusted := Trusted{RootsPEM: declared}
	own, err := ParseRoots(declared)
	others, sentErr := ParseRoots(sent)
	if err != nil || sentErr != nil {
		return trusted
	}
	trusted.Differs = !sameRoots(own, others)
	added := slices.DeleteFunc(others, func(c *x509.Certificate) bool { return slices.ContainsFunc(own, c.Equal) })
	if until := since.Add(MaxFollow); follow && len(added) > 0 && now.Before(until) {
		trusted.Until = until
		trusted.RootsPEM = append(bytes.Clone(declared), '\n') // users may omit the last line break
		for _, c := range added {
			trusted.RootsPEM = append(trusted.RootsPEM, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
		}
	}
	return trusted
}

func sameRoots(a, b []*x509.Certificate) bool {
	contains := func(list []*x509.Certificate) func(*x509.Certificate) bool {
		return func(c *x509.Certificate) bool { return !slices.ContainsFunc(list, c.Equal) }
	}
	return !slices.ContainsFunc(a, contains(b)) && !slices.ContainsFunc(b, contains(a))
}

// ParseRoots parses a bundle of a peer, which has 1 to MaxRoots certificates of authorities and nothing else.
func ParseRoots(bundle []byte) ([]*x509.Certificate, error) {
	var roots []*x509.Certificate
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%w: a root cannot be read: %w", ErrInvalid, err)
		case !c.IsCA:
			return nil, fmt.Errorf("%w: a root is no authority", ErrInvalid)
		case len(roots) == MaxRoots:
			return nil, fmt.Errorf("%w: there are more than %d roots", ErrInvalid, MaxRoots)
		}
		roots = append(roots, c)
	}
	if len(roots) == 0 {
		return nil, fmt.Errorf("%w: there is no root", ErrInvalid)
	}
	return roots, nil
}

// IsCompatible reports whether control planes of two versions understand each other: they are at most one minor version apart. Versions that are no release
// numbers, such as those of development, are compatible.
func IsCompatible(own, other string) bool {
	a, err := version.ParseSemantic(own)
	b, otherErr := version.ParseSemantic(other)
	if err != nil || otherErr != nil {
		return true
	}
	return a.Major() == b.Major() && max(a.Minor(), b.Minor())-min(a.Minor(), b.Minor()) <= 1
}
