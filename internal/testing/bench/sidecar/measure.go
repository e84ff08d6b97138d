package sidecar

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/openservicemesh/osm-operator/internal/testing/procusage"
)

// Load is what a sidecar has to do while it is measured.
type Load struct {
	// Rate is the number of requests per second, and Duration how long they are sent.
	Rate     int
	Duration time.Duration
}

// usage is what a sidecar used.
type usage struct {
	series   int
	cpu      time.Duration
	memory   uint64
	requests int
}

// Table measures every variant and writes a table.
func Table(ctx context.Context, out io.Writer, program string, load Load) error {
	tw := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "STATISTICS OF A SIDECAR\tSERIES\tREQUESTS/S\tCPU PER REQUEST\tMEMORY\n")
	for _, v := range variants {
		used, err := v.measure(ctx, program, load)
		if err != nil {
			return fmt.Errorf("the sidecar with %s cannot be measured: %w", v.name, err)
		}
		rate := float64(used.requests) / load.Duration.Seconds()
		fmt.Fprintf(tw, "%s\t%d\t%.0f\t%s\t%.1f MB\n", v.name, used.series, rate,
			(used.cpu / time.Duration(used.requests)).Round(time.Microsecond), float64(used.memory)/1e6)
	}
	return tw.Flush()
}

func (v variant) measure(ctx context.Context, program string, load Load) (usage, error) {
	application, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return usage{}, err
	}
	defer application.Close()
	server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(application) }()
	listen, admin, err := freePorts()
	if err != nil {
		return usage{}, err
	}
	config, err := v.configuration(listen, netip.MustParseAddrPort(application.Addr().String()), admin)
	if err != nil {
		return usage{}, err
	}
	text, err := protojson.Marshal(config)
	if err != nil {
		return usage{}, err
	}
	stop, pid, err := start(ctx, program, text)
	if err != nil {
		return usage{}, err
	}
	defer stop()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	if err := waitReady(ctx, client, "http://"+listen.String()); err != nil {
		return usage{}, err
	}
	return sample(ctx, client, pid, listen, admin, load)
}

// start runs Envoy with a configuration until stop is called.
func start(ctx context.Context, program string, config []byte) (stop func(), pid int, err error) {
	dir, err := os.MkdirTemp("", "sidecar")
	if err != nil {
		return nil, 0, err
	}
	path := filepath.Join(dir, "envoy.json")
	if err := os.WriteFile(path, config, 0o600); err != nil {
		return nil, 0, err
	}
	cmd := exec.CommandContext(ctx, program, "-c", path, "--use-dynamic-base-id", "--disable-hot-restart", "--concurrency", "2", "-l", "error")
	cmd.Env = append(os.Environ(), "POD_NAMESPACE=shop", "OSM_WORKLOAD_KIND=Deployment", "OSM_WORKLOAD_NAME=client")
	if err := cmd.Start(); err != nil {
		return nil, 0, err
	}
	return func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	}, cmd.Process.Pid, nil
}

// sample sends requests at a fixed rate and reads what the process used meanwhile.
func sample(ctx context.Context, client *http.Client, pid int, listen, admin netip.AddrPort, load Load) (usage, error) {
	before, err := procusage.Of(pid)
	if err != nil {
		return usage{}, err
	}
	var used usage
	if used.requests, err = send(ctx, client, "http://"+listen.String(), load); err != nil {
		return usage{}, err
	}
	after, err := procusage.Of(pid)
	if err != nil {
		return usage{}, err
	}
	used.cpu = after.CPU - before.CPU
	text, err := get(ctx, client, "http://"+admin.String()+"/stats/prometheus")
	if err != nil {
		return usage{}, err
	}
	for line := range bytes.Lines(text) {
		if !bytes.HasPrefix(line, []byte("#")) && len(bytes.TrimSpace(line)) > 0 {
			used.series++
		}
	}
	after, err = procusage.Of(pid)
	used.memory = after.Resident
	return used, err
}

// clients is the number of connections that requests are sent on.
const clients = 8

// send sends requests at a fixed rate, and returns their number. On a busy machine there are fewer.
func send(ctx context.Context, client *http.Client, url string, load Load) (int, error) {
	var sent atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range clients {
		group.Go(func() error {
			ticker := time.NewTicker(clients * time.Second / time.Duration(load.Rate))
			defer ticker.Stop()
			for end := time.Now().Add(load.Duration); time.Now().Before(end); <-ticker.C {
				if _, err := get(ctx, client, url); err != nil {
					return err
				}
				sent.Add(1)
			}
			return nil
		})
	}
	err := group.Wait()
	return int(sent.Load()), err
}

func get(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", url, response.Status)
	}
	return io.ReadAll(response.Body)
}

// waitReady waits until the sidecar forwards requests.
func waitReady(ctx context.Context, client *http.Client, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		_, err := get(ctx, client, url)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(errors.New("the sidecar forwards no requests"), err)
		case <-ticker.C:
		}
	}
}

func freePorts() (first, second netip.AddrPort, err error) {
	var addresses [2]netip.AddrPort
	for i := range addresses {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return first, second, err
		}
		defer listener.Close()
		addresses[i] = netip.MustParseAddrPort(listener.Addr().String())
	}
	return addresses[0], addresses[1], nil
}
