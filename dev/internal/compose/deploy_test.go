// SPDX-License-Identifier: Apache-2.0

package compose

import (
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// TestPrometheusScrapesServices checks that each target is a service of the
// compose file, and of ours its admin address.
func TestPrometheusScrapesServices(t *testing.T) {
	services := parse(t, read(t, "docker-compose.yml")).Services
	var scraped []string
	for _, target := range scrapeTargets(t) {
		host, port, err := net.SplitHostPort(target)
		if err != nil {
			t.Fatalf("target %s: %v", target, err)
		}
		each, ok := services[host]
		if !ok {
			t.Errorf("target %s: no such service", target)
		}
		admin, ok := each.Environment["HOOKSTREAM_ADMIN_ADDRESS"]
		if ok && admin != ":"+port {
			t.Errorf("target %s: the service answers at %s", target, admin)
		}
		scraped = append(scraped, host)
	}
	for name, each := range services {
		if _, serves := each.Environment["HOOKSTREAM_ADMIN_ADDRESS"]; serves && !slices.Contains(scraped, name) {
			t.Errorf("%s serves /metrics, which nothing scrapes", name)
		}
	}
}

func scrapeTargets(t *testing.T) (targets []string) {
	t.Helper()
	var config struct {
		ScrapeConfigs []struct {
			StaticConfigs []struct {
				Targets []string `yaml:"targets"`
			} `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	decode(t, "deploy/prometheus/prometheus.yml", &config)
	for _, scrape := range config.ScrapeConfigs {
		for _, static := range scrape.StaticConfigs {
			targets = append(targets, static.Targets...)
		}
	}
	return targets
}

// TestCollectorPipelines checks that each pipeline is made of parts that the
// file defines, and that the services send to where it listens.
func TestCollectorPipelines(t *testing.T) {
	var config struct {
		Receivers  map[string]any `yaml:"receivers"`
		Processors map[string]any `yaml:"processors"`
		Exporters  map[string]any `yaml:"exporters"`
		Service    struct {
			Pipelines map[string]struct {
				Receivers  []string `yaml:"receivers"`
				Processors []string `yaml:"processors"`
				Exporters  []string `yaml:"exporters"`
			} `yaml:"pipelines"`
		} `yaml:"service"`
	}
	decode(t, "deploy/otel-collector/config.yaml", &config)
	if len(config.Service.Pipelines) == 0 {
		t.Fatal("no pipelines")
	}
	for name, pipeline := range config.Service.Pipelines {
		defined(t, name, config.Receivers, pipeline.Receivers)
		defined(t, name, config.Processors, pipeline.Processors)
		defined(t, name, config.Exporters, pipeline.Exporters)
	}
	listens := read(t, "deploy/otel-collector/config.yaml")
	for name, each := range parse(t, read(t, "docker-compose.yml")).Services {
		endpoint, ok := each.Environment["OTEL_EXPORTER_OTLP_ENDPOINT"]
		if !ok {
			continue
		}
		to, err := url.Parse(endpoint)
		if err != nil || to.Hostname() != "otel-collector" || !strings.Contains(listens, ":"+to.Port()+"}") {
			t.Errorf("%s sends traces to %s, where the collector does not listen", name, endpoint)
		}
	}
}

func defined(t *testing.T, pipeline string, parts map[string]any, used []string) {
	t.Helper()
	if len(used) == 0 {
		t.Errorf("pipeline %s lacks a part", pipeline)
	}
	for _, part := range used {
		if _, ok := parts[part]; !ok {
			t.Errorf("pipeline %s uses %s, which is not defined", pipeline, part)
		}
	}
}

// TestDashboardsUseProvisionedSources checks each panel's data source and that
// the dashboards lie where Grafana is told to look.
func TestDashboardsUseProvisionedSources(t *testing.T) {
	sources := dataSources(t)
	for _, path := range files(t, "deploy/grafana/dashboards") {
		var dashboard struct {
			UID    string `json:"uid"`
			Panels []struct {
				Title      string `json:"title"`
				Datasource struct {
					UID string `json:"uid"`
				} `json:"datasource"`
				Targets []struct {
					Expr string `json:"expr"`
				} `json:"targets"`
			} `json:"panels"`
		}
		if err := json.Unmarshal([]byte(read(t, path)), &dashboard); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if dashboard.UID == "" || len(dashboard.Panels) == 0 {
			t.Errorf("%s: has no uid or no panels", path)
		}
		for _, panel := range dashboard.Panels {
			if !slices.Contains(sources, panel.Datasource.UID) {
				t.Errorf("%s: panel %q reads from %q, which is not provisioned", path, panel.Title, panel.Datasource.UID)
			}
			if len(panel.Targets) == 0 || panel.Targets[0].Expr == "" {
				t.Errorf("%s: panel %q asks nothing", path, panel.Title)
			}
		}
	}

	var config struct {
		Providers []struct {
			Options struct {
				Path string `yaml:"path"`
			} `yaml:"options"`
		} `yaml:"providers"`
	}
	decode(t, "deploy/grafana/provisioning/dashboards/dashboards.yaml", &config)
	mounts := parse(t, read(t, "docker-compose.yml")).Services["grafana"].Volumes
	for _, provider := range config.Providers {
		if !slices.Contains(mounts, "./deploy/grafana/dashboards:"+provider.Options.Path+":ro") {
			t.Errorf("dashboards are looked for in %s, where none are mounted", provider.Options.Path)
		}
	}
}

// dataSources returns the uids of the provisioned data sources, each of which
// must point to a service.
func dataSources(t *testing.T) (uids []string) {
	t.Helper()
	var config struct {
		Datasources []struct {
			UID string `yaml:"uid"`
			URL string `yaml:"url"`
		} `yaml:"datasources"`
	}
	decode(t, "deploy/grafana/provisioning/datasources/datasources.yaml", &config)
	services := parse(t, read(t, "docker-compose.yml")).Services
	for _, source := range config.Datasources {
		to, err := url.Parse(source.URL)
		if err != nil {
			t.Fatalf("data source %s: %v", source.UID, err)
		}
		if _, ok := services[to.Hostname()]; !ok {
			t.Errorf("data source %s: %s is no service", source.UID, source.URL)
		}
		uids = append(uids, source.UID)
	}
	return uids
}

// TestSecretsAreDemoValues keeps real secrets out of the repository, and the
// demo ones at <tenant>/<provider> for providers that there are.
func TestSecretsAreDemoValues(t *testing.T) {
	paths := files(t, "deploy/secrets")
	if len(paths) == 0 {
		t.Fatal("deploy/secrets is empty: nothing could be verified")
	}
	for _, path := range paths {
		inside, err := filepath.Rel("deploy/secrets", path)
		if err != nil {
			t.Fatal(err)
		}
		tenant, provider, ok := strings.Cut(filepath.ToSlash(inside), "/")
		if !ok || tenant == "" || strings.Contains(provider, "/") {
			t.Errorf("%s: want <tenant>/<provider>", path)
		}
		if _, err := os.Stat(filepath.Join(root, "schemas/provider/definitions", provider+".yaml")); err != nil {
			t.Errorf("%s: no such provider: %v", path, err)
		}
		for _, secret := range strings.Fields(read(t, path)) {
			if !isDemo(secret) {
				t.Errorf("%s: holds a secret that is not marked as a demo value", path)
			}
		}
	}
}

// files lists the files below a folder of the repository, from its root.
func files(t *testing.T, folder string) (paths []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(root), folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func decode(t *testing.T, path string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(read(t, path)), into); err != nil {
		t.Fatalf("parse %s: %v", path, err)
	}
}

// isDemo reports whether a secret says of itself that it is none. A Standard
// Webhooks secret is base64 after its prefix.
func isDemo(secret string) bool {
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	return strings.Contains(secret, "demo-only") || err == nil && strings.Contains(string(decoded), "demo-only")
}
