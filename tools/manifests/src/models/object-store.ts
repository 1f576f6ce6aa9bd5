import { BarmanObjectStoreConfiguration } from '@kubernetes-models/cloudnative-pg/github.com/cloudnative-pg/barman-cloud/pkg/api/BarmanObjectStoreConfiguration';
import type { IBarmanObjectStoreConfiguration } from '@kubernetes-models/cloudnative-pg/github.com/cloudnative-pg/barman-cloud/pkg/api/BarmanObjectStoreConfiguration';
import type { IIoK8sApimachineryPkgApisMetaV1ObjectMeta } from '@kubernetes-models/apimachinery/apis/meta/v1/ObjectMeta';
import type { IEnvVar } from 'kubernetes-models/v1/EnvVar';
import type { IResourceRequirements } from 'kubernetes-models/v1/ResourceRequirements';

/**
 * Where the Barman Cloud plugin of CloudNativePG puts backups. There is no package with its model; this is version 1 of
 * https://cloudnative-pg.io/plugin-barman-cloud/docs/plugin-barman-cloud.v1/
 */
export interface IObjectStore {
  apiVersion: 'barmancloud.cnpg.io/v1';
  kind: 'ObjectStore';
  metadata: IIoK8sApimachineryPkgApisMetaV1ObjectMeta;
  spec: {
    /** The plugin refuses `serverName` here: it is a parameter of the cluster's plugin. */
    configuration: Omit<IBarmanObjectStoreConfiguration, 'serverName'>;
    /** Days, weeks or months: `30d`. */
    retentionPolicy?: string;
    instanceSidecarConfiguration?: {
      additionalContainerArgs?: string[];
      env?: IEnvVar[];
      logLevel?: 'error' | 'warning' | 'info' | 'debug' | 'trace';
      resources?: IResourceRequirements;
      retentionPolicyIntervalSeconds?: number;
    };
  };
}

/** What is wrong with a field, as the validators of the packages report it. */
interface SchemaError {
  instancePath: string;
  message: string;
}

/** Checks what types cannot say. */
export class ObjectStore {
  constructor(private readonly data: IObjectStore) {}

  /** @throws Error with `errors`, as the packages' classes do */
  validate(): void {
    const { configuration, retentionPolicy } = this.data.spec ?? {};
    const errors = configurationErrors(configuration).map((each) => ({
      ...each,
      instancePath: `/spec/configuration${each.instancePath}`,
    }));
    if (retentionPolicy !== undefined && !/^[1-9]\d*[dwm]$/.test(retentionPolicy)) {
      errors.push({
        instancePath: '/spec/retentionPolicy',
        message: 'must be days, weeks or months such as 30d',
      });
    }
    if (errors.length > 0) throw Object.assign(new Error('not valid'), { errors });
  }
}

function configurationErrors(configuration: unknown): SchemaError[] {
  try {
    new BarmanObjectStoreConfiguration(configuration as IBarmanObjectStoreConfiguration).validate();
    return [];
  } catch (error) {
    return (error as { errors?: SchemaError[] }).errors ?? [];
  }
}
