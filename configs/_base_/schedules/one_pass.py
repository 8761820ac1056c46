# No gradients: one pass over the training images, and a metric fitted to them where the model has one.
_base_ = '../default_runtime.py'

optim_wrapper = dict(constructor='PerModuleOptimWrapperConstructor')  # of no child module
train_cfg = dict(type='ResumableTrainLoop', max_epochs=1)
custom_hooks = [dict(type='FitMetricHook')]
auto_scale_lr = dict(base_batch_size=64, enable=False)
