package peering

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// Format is the format of records. A later version that adds fields keeps it: others ignore fields that they do not know. One that changes the meaning of a
// field must increase it.
const Format = 1

// Kind is the kind of a record.
type Kind string

// Kinds of records.
const (
	// KindService describes a Service that is offered.
	KindService Kind = "service"
	// KindTrust has the roots of the mesh and its version. A mesh has one.
	KindTrust Kind = "trust"
)

// TrustName is the name of the record of KindTrust.
const TrustName = string(KindTrust)

// MaxNameBytes is the maximum length of the name of a record.
const MaxNameBytes = len(KindService) + 2 + 2*validation.DNS1123LabelMaxLength

// Errors of records that are read.
var (
	// ErrFormat means that a later version has made the record, which this one would misread.
	ErrFormat = errors.New("the record has a later format: upgrade this mesh")
	// ErrInvalid means that no mesh makes such a record.
	ErrInvalid = errors.New("the record is invalid")
)

// Record is what a mesh says to one peer about one thing.
type Record struct {
	Format int  `json:"format"`
	Kind   Kind `json:"kind"`
	// Namespace and Name are those of the Service; empty for other kinds.
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	// Issuer is the trust domain of the mesh that made the record, and Audience that of the peer that it is for.
	Issuer   string `json:"issuer"`
	Audience string `json:"audience"`
	// Epoch changes when the state of the issuer's cluster is restored or made anew.
	Epoch string `json:"epoch"`
	// Generation grows with each change of the record within an epoch. It is at least the time in milliseconds since 1970.
	Generation int64 `json:"generation"`
	// IssuedAt is when the record was signed, in seconds since 1970.
	IssuedAt int64 `json:"issuedAt"`
	// Signer identifies the authority of the signature, so that its rotation replaces all records.
	Signer  string   `json:"signer,omitempty"`
	Service *Service `json:"service,omitempty"`
	Trust   *Trust   `json:"trust,omitempty"`
}

// Service describes a Service. Ports are sorted by number.
type Service struct {
	Ports []Port `json:"ports"`
}

// Port is a port that admits an account of the peer. The lists are sorted.
type Port struct {
	Number uint16 `json:"number"`
	// Ready is true if the port has an endpoint that accepts connections.
	Ready bool `json:"ready"`
	// Servers are the accounts of the pods behind the Service, in the mesh of the issuer; empty while it has none.
	Servers []Account `json:"servers,omitempty"`
	// Clients are the accounts that may connect, in the mesh of the audience.
	Clients []Account `json:"clients,omitempty"`
}

// Account is a service account. The field that has it determines its mesh.
type Account struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// Compare orders by namespace, then name.
func (a Account) Compare(other Account) int {
	return cmp.Or(cmp.Compare(a.Namespace, other.Namespace), cmp.Compare(a.Name, other.Name))
}

// Trust has the roots and the version of a mesh.
type Trust struct {
	// Bundle has the roots as PEM.
	Bundle string `json:"bundle"`
	// Version is that of the control plane.
	Version string `json:"version,omitempty"`
	// Accepted are the SHA-256 fingerprints of the roots that the mesh trusts for the audience, in hexadecimal, sorted.
	Accepted []string `json:"accepted,omitempty"`
}

// ServiceRecordName is the name of the record of a Service.
func ServiceRecordName(service entity.Name) string {
	return string(KindService) + "/" + service.String()
}

// ResourceName is the name of the record among those of its issuer.
func (r Record) ResourceName() string {
	if r.Kind == KindService {
		return ServiceRecordName(entity.Name{Namespace: r.Namespace, Name: r.Name})
	}
	return string(r.Kind)
}

// Encode returns the wire form.
func (r Record) Encode() ([]byte, error) { return json.Marshal(r) }

// Decode parses the wire form. It checks the envelope and not the content, so that a record of a later format is recognized.
func Decode(data []byte) (Record, error) {
	var r Record
	var envelope struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(data, &envelope); err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if envelope.Format > Format {
		return Record{}, fmt.Errorf("%w: format %d, and this version reads %d", ErrFormat, envelope.Format, Format)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if r.Format < 1 || r.Epoch == "" || len(r.Epoch) > maxEpochBytes || r.Generation <= 0 {
		return Record{}, fmt.Errorf("%w: it needs a format, an epoch of at most %d bytes and a generation", ErrInvalid, maxEpochBytes)
	}
	return r, nil
}

// maxEpochBytes is the maximum length of an epoch. UIDs have 36 bytes.
const maxEpochBytes = 64

// Version identifies the content and the generation of a record, for the protocol of streams. Replicas of a control plane have equal digests for equal content,
// but may have different generations.
type Version struct {
	Generation int64
	Digest     string
}

// Version returns the version of the record.
func (r Record) Version() (Version, error) {
	generation := r.Generation
	r.Generation, r.IssuedAt = 0, 0
	encoded, err := r.Encode()
	if err != nil {
		return Version{}, err
	}
	sum := sha256.Sum256(encoded)
	return Version{generation, hex.EncodeToString(sum[:16])}, nil
}

// String is "<generation>.<digest>".
func (v Version) String() string { return strconv.FormatInt(v.Generation, 10) + "." + v.Digest }

// ParseVersion is the inverse of String. The version of a record that another release has made may have any form; ok is then false.
func ParseVersion(text string) (v Version, ok bool) {
	generation, digest, found := strings.Cut(text, ".")
	number, err := strconv.ParseInt(generation, 10, 64)
	return Version{number, digest}, found && err == nil
}
