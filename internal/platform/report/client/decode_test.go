package client

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// TestCompromisedReplicaUsesLittleMemory decodes documents that need far more memory than their length.
func TestCompromisedReplicaUsesLittleMemory(t *testing.T) {
	const maxAllocated, maxHeap = 450 << 20, 120 << 20
	for name, document := range map[string]string{
		"empty objects":    `{"proxies":[` + strings.Repeat("{},", maxDocument/3-10) + `{}]}`,
		"nothing":          `{"proxies":[` + strings.Repeat("null,", maxDocument/5-10) + `null]}`,
		"entries of maps":  `{"proxies":[{"types":{` + manyEntries() + `"":{}}}]}`,
		"long":             `{"proxies":[{"pod":"` + strings.Repeat("x", maxDocument) + `"}]}`,
		"as dense as fits": `{"proxies":[` + strings.Repeat(`{"pod":"`+strings.Repeat("x", minValue*2-10)+`"},`, maxDocument/(minValue*2+1)-10) + `{}]}`,
	} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		var proxies report.Proxies
		err := decode(strings.NewReader(document), &proxies)
		runtime.ReadMemStats(&after)
		allocated := int64(after.TotalAlloc) - int64(before.TotalAlloc)
		runtime.GC()
		runtime.ReadMemStats(&after)
		heap := int64(after.HeapAlloc) - int64(before.HeapAlloc)
		runtime.KeepAlive(&proxies)
		t.Logf("%s: %d MiB allocated, %d MiB in use for %d MiB", name, allocated>>20, heap>>20, len(document)>>20)
		if allocated > maxAllocated || heap > maxHeap {
			t.Errorf("%s: too much memory", name)
		}
		if wantError := name != "as dense as fits"; (err != nil) != wantError {
			t.Errorf("%s: error %v, want one: %t", name, err, wantError)
		}
	}
}

func manyEntries() string {
	var text strings.Builder
	for i := 0; text.Len() < maxDocument-100; i++ {
		fmt.Fprintf(&text, `"%x":{},`, i)
	}
	return text.String()
}

// TestLargeReplicaCanBeRead decodes a report of as many sidecars as one replica was measured with, with the shortest names.
func TestLargeReplicaCanBeRead(t *testing.T) {
	var sent report.Proxies
	now := time.Now()
	for range 12_000 {
		proxy := report.Proxy{Namespace: "n", Pod: "p", UID: "00000000-0000-0000-0000-000000000000", ServiceAccount: "s", Connected: now, Types: map[string]report.Type{}}
		for _, kind := range []string{"CDS", "EDS", "LDS", "RDS", "SDS", "ECDS"} {
			proxy.Types[kind] = report.Type{}
		}
		sent.Proxies = append(sent.Proxies, proxy)
	}
	text, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes for a value", len(text)/countValues(text))
	var received report.Proxies
	if err := decode(strings.NewReader(string(text)), &received); err != nil || len(received.Proxies) != len(sent.Proxies) {
		t.Errorf("%d of %d sidecars in %d bytes with %d values: %v", len(received.Proxies), len(sent.Proxies), len(text), countValues(text), err)
	}
}
