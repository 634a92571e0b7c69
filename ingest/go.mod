module github.com/hookstream/hookstream/ingest

go 1.26.0

replace github.com/hookstream/hookstream/schemas => ../schemas

replace github.com/hookstream/hookstream/stage => ../stage

require github.com/hookstream/hookstream/schemas v0.0.0

require (
	github.com/go-json-experiment/json v1.27.2 // indirect
	github.com/twmb/avro v1.9.0 // indirect
	go.yaml.in/yaml/v4 v4.0.0 // indirect
)
