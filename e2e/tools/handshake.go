package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/openservicemesh/osm-operator/e2e/report"
)

func handshakeCommand() *cobra.Command {
	var serverName string
	var protocols []string
	cmd := &cobra.Command{
		Use:   "handshake ADDRESS",
		Short: "report a TLS server's certificate and whether it accepts a client without one",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return printReport(cmd, handshake(cmd.Context(), args[0], serverName, protocols))
		},
	}
	cmd.Flags().StringVar(&serverName, "server-name", "", "server name (SNI)")
	cmd.Flags().StringSliceVar(&protocols, "protocols", nil, "application protocols (ALPN)")
	return cmd
}

func handshake(ctx context.Context, address, serverName string, protocols []string) report.Handshake {
	var result report.Handshake
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	dialer := tls.Dialer{NetDialer: &net.Dialer{}, Config: &tls.Config{
		InsecureSkipVerify: true,
		ServerName:         serverName,
		NextProtos:         protocols,
		VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
			for _, der := range raw {
				result.Chain += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
			}
			return describeCertificate(raw[0], &result)
		},
	}}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		result.Error = err.Error()
		return result
	}
	defer conn.Close()
	// In TLS 1.3 the server verifies the client after the client's handshake is complete.
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	if _, err := conn.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		result.Error = err.Error()
		return result
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		result.Error = err.Error()
	}
	return result
}

func describeCertificate(raw []byte, into *report.Handshake) error {
	certificate, err := x509.ParseCertificate(raw)
	if err != nil {
		return err
	}
	into.DNSNames, into.Serial = certificate.DNSNames, certificate.SerialNumber.Text(16)
	into.NotBefore, into.NotAfter = certificate.NotBefore, certificate.NotAfter
	for _, uri := range certificate.URIs {
		into.URIs = append(into.URIs, uri.String())
	}
	return nil
}

func streamCommand() *cobra.Command {
	var tokenFile, node string
	cmd := &cobra.Command{
		Use:   "stream ADDRESS",
		Short: "request configuration from a control plane like a sidecar",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			token := ""
			if tokenFile != "" {
				data, err := os.ReadFile(tokenFile)
				if err != nil {
					return err
				}
				token = strings.TrimSpace(string(data))
			}
			result, err := stream(cmd.Context(), args[0], token, node)
			if err != nil {
				return err
			}
			return printReport(cmd, result)
		},
	}
	cmd.Flags().StringVar(&tokenFile, "token-file", "", "file with the token to send (default: none)")
	cmd.Flags().StringVar(&node, "node", "", "node id to send")
	return cmd
}

// stream opens a delta xDS stream and subscribes to clusters.
func stream(ctx context.Context, address, token, node string) (report.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	secure := credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(secure))
	if err != nil {
		return report.Stream{}, fmt.Errorf("control plane %s: %w", address, err)
	}
	defer conn.Close()
	if token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	response, err := subscribe(ctx, conn, node)
	if err != nil {
		return report.Stream{Code: status.Code(err).String(), Message: status.Convert(err).Message()}, nil
	}
	return report.Stream{Code: codes.OK.String(), Resources: len(response.GetResources())}, nil
}

func subscribe(ctx context.Context, conn *grpc.ClientConn, node string) (*discoveryv3.DeltaDiscoveryResponse, error) {
	ads, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	if err != nil {
		return nil, err
	}
	// The status of a rejected stream is returned by Recv; a failed Send only reports the end of the stream.
	_ = ads.Send(&discoveryv3.DeltaDiscoveryRequest{
		Node:                   &corev3.Node{Id: node},
		TypeUrl:                "type.googleapis.com/envoy.config.cluster.v3.Cluster",
		ResourceNamesSubscribe: []string{"*"},
	})
	return ads.Recv()
}
